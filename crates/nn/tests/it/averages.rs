//! Averages of weights, and statistics anew.

use nn::{BatchNorm1d, Layer, Module, Param, WeightAverage, refresh_statistics};
use tensor::Tensor;

use crate::golden::{assert_close, fill, rows};

#[test]
fn averages_are_those_of_pytorch() {
    for (name, mut average) in
        [("exponential", WeightAverage::exponential(0.9).unwrap()), ("mean", WeightAverage::mean())]
    {
        let mut w = Param::<f64>::new(fill([3, 4], 0));
        for (step, want) in rows("averages", name).iter().enumerate() {
            *w.value_mut() = fill([3, 4], step);
            average.update(&w);
            assert_close(name, &average.of(&w).unwrap().to_vec(), want, 1e-14);
        }
    }
}

#[test]
fn a_warm_up_forgets_the_first_weights_soon() {
    let mut w = Param::<f64>::new(Tensor::from([100.0]));
    let mut average = WeightAverage::exponential(0.999).unwrap().with_warmup();
    average.update(&w);
    *w.value_mut() = Tensor::from([0.0]);
    let mut want = 100.0;
    for n in 1..20 {
        average.update(&w);
        want *= f64::min(0.999, f64::from(1 + n) / f64::from(10 + n));
        assert_close("warm-up", &average.of(&w).unwrap().to_vec(), &[want], 1e-12);
    }
    assert_eq!(average.updates(), 20);
}

#[test]
fn an_average_is_swapped_in_and_out_with_the_state() {
    let mut model = BatchNorm1d::<f64>::try_new(2).unwrap();
    let set = |model: &mut BatchNorm1d<f64>, to: f64| {
        for (_, param) in model.state_dict_mut() {
            *param.value_mut() = Tensor::full([2], to);
        }
    };
    let values = |model: &BatchNorm1d<f64>| -> Vec<f64> {
        model.state_dict().iter().map(|(_, param)| param.value().get(&[0]).unwrap()).collect()
    };
    let mut average = WeightAverage::mean();
    for to in [1.0, 3.0] {
        set(&mut model, to);
        average.update(&model);
    }
    set(&mut model, 7.0);
    average.swap(&mut model).unwrap();
    assert!(average.is_swapped());
    assert_eq!(values(&model), [2.0, 2.0, 3.0, 3.0], "weights are averaged, state is the last");
    average.swap(&mut model).unwrap();
    assert_eq!(values(&model), [7.0; 4]);
    average.update(&model);
    let mut other = BatchNorm1d::<f64>::try_new(2).unwrap();
    let why = average.swap(&mut other).unwrap_err().to_string();
    assert!(why.starts_with("the average has not been updated with this model: it lacks weight, bias"), "{why}");
    for bad in [-0.1, 1.1, f64::NAN] {
        assert!(WeightAverage::<f32>::exponential(bad).is_err());
    }
}

#[test]
#[should_panic(expected = "update: the average is in the model's place; swap it out again before")]
fn what_is_swapped_in_is_not_averaged() {
    let mut w = Param::new(Tensor::from([1.0]));
    let mut average = WeightAverage::mean();
    average.update(&w);
    average.swap(&mut w).unwrap();
    average.update(&w);
}

#[test]
fn statistics_are_found_anew_whatever_they_were() {
    let want = rows("averages", "statistics");
    for cumulative in [false, true] {
        let mut norm = BatchNorm1d::<f64>::try_new(4).unwrap();
        if cumulative {
            norm = norm.cumulative();
        }
        *norm.running_mean.as_mut().unwrap().value_mut() = Tensor::full([4], f64::NAN);
        refresh_statistics(&mut norm, 3, |norm, tape, pass| {
            norm.forward(tape.constant(fill([6, 4], pass)));
        });
        let [mean, var] = [&norm.running_mean, &norm.running_var].map(|p| p.as_ref().unwrap().value().to_vec());
        assert_close("the mean", &mean, &want[0], 1e-14);
        assert_close("the variance", &var, &want[1], 1e-14);
        // The passes are counted from 0, and the training goes on from there.
        let count = |norm: &BatchNorm1d<f64>| norm.num_batches_tracked.as_ref().map(|count| count.value().item());
        assert_eq!(count(&norm), cumulative.then_some(3.0));
        refresh_statistics(&mut norm, 2, |norm, tape, pass| {
            norm.forward(tape.constant(fill([6, 4], pass)));
        });
        assert_eq!(count(&norm), cumulative.then_some(2.0));
    }
}
