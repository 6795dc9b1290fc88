//! Batches, of a training's own rows.

use nn::{Batches, split};
use tensor::{Tensor, with_threads};

#[test]
fn a_step_has_the_same_rows_whenever_and_wherever_it_is_made() {
    let (train, held_out) = split(1000, 0.8, 3).unwrap();
    let labels = Tensor::from_fn([800], |i| (i[0] % 7) as i64);
    let kinds = || {
        let batches = || Batches::new(train.clone(), 30).unwrap();
        [
            batches(),
            batches().shuffled(9),
            batches().with_replacement(9),
            batches().balanced(&labels, 9).unwrap(),
            batches().shuffled(9).drop_last(),
        ]
    };
    for (mut forward, mut backward) in kinds().into_iter().zip(kinds()) {
        let all: Vec<Vec<i64>> = (0..100).map(|step| forward.rows(step).to_vec()).collect();
        let again: Vec<Vec<i64>> =
            with_threads(3, || (0..100).rev().map(|step| backward.rows(step).to_vec()).collect()).unwrap();
        assert!(all.iter().eq(again.iter().rev()));
        assert!(all.concat().iter().all(|row| !held_out.iter().any(|other| other == *row)));
    }
}

#[test]
fn a_batch_is_a_view_and_nothing_is_copied() {
    let mut batches = Batches::new(0..100, 10).unwrap().shuffled(1);
    let first = batches.rows(0).clone();
    assert!(batches.rows(1).shares_storage(&first));
    assert!(!batches.rows(10).shares_storage(&first), "another epoch");
}
