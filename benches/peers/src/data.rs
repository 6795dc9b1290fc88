//! The same random numbers in every library's own type, and back.

use burn::tensor::{Device, TensorData};
use candle_core::Device::Cpu;
use ndarray::{Array, Array2, Dimension};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use tensor::Tensor;

/// Standard normal numbers.
pub fn normals(len: usize, seed: u64) -> Vec<f32> {
    StdRng::seed_from_u64(seed).sample_iter(StandardNormal).take(len).collect()
}

/// A class for each of `len` examples.
pub fn classes(len: usize, classes: i64) -> Vec<i64> {
    let mut rng = StdRng::seed_from_u64(3);
    (0..len).map(|_| rng.random_range(0..classes)).collect()
}

/// One matrix, in each library.
pub struct Everywhere {
    pub evenkeel: Tensor,
    pub ndarray: Array2<f32>,
    pub candle: candle_core::Tensor,
    pub burn: burn::Tensor<2>,
}

impl Everywhere {
    /// Standard normal numbers.
    pub fn normals([rows, columns]: [usize; 2], seed: u64) -> Self {
        Everywhere::of([rows, columns], normals(rows * columns, seed))
    }

    pub fn of([rows, columns]: [usize; 2], data: Vec<f32>) -> Self {
        Everywhere {
            candle: candle_core::Tensor::from_slice(&data, (rows, columns), &Cpu).unwrap(),
            burn: burn::Tensor::from_data(TensorData::new(data.clone(), [rows, columns]), &Device::flex()),
            ndarray: Array2::from_shape_vec((rows, columns), data.clone()).unwrap(),
            evenkeel: Tensor::from_vec(data, [rows, columns]),
        }
    }
}

/// A result, to be compared.
pub trait Values {
    /// In row-major order.
    fn values(&self) -> Vec<f32>;
}

impl Values for f32 {
    fn values(&self) -> Vec<f32> {
        vec![*self]
    }
}

impl Values for Tensor {
    fn values(&self) -> Vec<f32> {
        self.to_vec()
    }
}

impl<D: Dimension> Values for Array<f32, D> {
    fn values(&self) -> Vec<f32> {
        self.iter().copied().collect()
    }
}

impl Values for candle_core::Result<candle_core::Tensor> {
    fn values(&self) -> Vec<f32> {
        let tensor = self.as_ref().expect("shapes are ours and fit");
        tensor.flatten_all().and_then(|x| x.to_vec1()).unwrap()
    }
}

impl<const D: usize> Values for burn::Tensor<D> {
    fn values(&self) -> Vec<f32> {
        self.try_to_vec_as().unwrap()
    }
}
