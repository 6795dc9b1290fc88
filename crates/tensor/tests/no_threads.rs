//! Where the system has no thread to give, the calling one does all the work. Each new thread of the child asks for more stack than
//! there is memory.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use tensor::Tensor;

const CHILD: &str = "EVENKEEL_TEST_WITHOUT_THREADS";

fn main() {
    if std::env::var_os(CHILD).is_some() {
        return without_threads();
    }
    let program = std::env::current_exe().expect("this program has a path");
    let mut child = Command::new(program);
    let output = child.env(CHILD, "1").env("RUST_MIN_STACK", (1_u64 << 46).to_string()).env("RAYON_NUM_THREADS", "4");
    let output = output.output().expect("this program runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert_eq!((out.trim(), err.trim()), ("1 passed, 0 failed", ""));
    println!("{}", out.trim());
}

fn without_threads() {
    assert!(std::thread::Builder::new().spawn(|| ()).is_err(), "the system has a thread to give after all");
    let x = Tensor::<f32>::from_fn([256, 256], |i| (i[0] * 7 + i[1] * 3) as f32 % 11.0 - 5.0);
    let product = x.matmul(&x);
    // Row 1 of column 0, in whole numbers, which f32 has exactly.
    let want: f32 = (0..256).map(|k| x.get(&[1, k]).unwrap() * x.get(&[k, 0]).unwrap()).sum();
    assert_eq!(product.get(&[1, 0]), Some(want));
    let large = Tensor::<f32>::from_fn([1 << 20], |i| (i[0] * 7919 % (1 << 20)) as f32);
    assert_eq!(large.exp().get(&[0]), Some(1.0));
    let (sorted, _) = large.sort(0, false);
    assert_eq!((sorted.get(&[5]), sorted.get(&[(1 << 20) - 1])), (Some(5.0), Some(((1 << 20) - 1) as f32)));
    let calls = AtomicUsize::new(0);
    tensor::for_each(100, 1e9, &|_| _ = calls.fetch_add(1, Ordering::Relaxed));
    assert_eq!(calls.into_inner(), 100);
    let refused = tensor::with_threads(4, || ()).unwrap_err().to_string();
    assert!(refused.starts_with("with_threads: ") && refused.contains("without `with_threads`"), "{refused}");
    println!("1 passed, 0 failed");
}
