//! Rows to train with and rows to judge by.

use tensor::Tensor;

use super::{by_class, stream};
use crate::Error;

/// Rows to train with, and rows that are held out.
type Parts = (Tensor<i64>, Tensor<i64>);

/// Splits the rows 0 to n − 1 into two random parts; the first has this share of them, rounded. Each is in order.
/// PyTorch's `random_split`.
///
/// # Errors
/// The share is not between 0 and 1, or a part is empty.
///
/// # Example
/// ```
/// let (train, held_out) = nn::split(1000, 0.9, 42)?;
/// assert_eq!((train.numel(), held_out.numel()), (900, 100));
/// # Ok::<(), nn::Error>(())
/// ```
#[doc(alias = "train_test_split")]
#[doc(alias = "random_split")]
pub fn split(n: usize, share: f64, seed: u64) -> Result<Parts, Error> {
    parts(vec![(0..n as i64).collect()], n, share, seed)
}

/// As [`split`], but of each class by itself, so that both parts have as large a share of each, as far as it divides.
///
/// # Errors
/// As [`split`], or the labels are no vector.
///
/// # Example
/// ```
/// use tensor::Tensor;
///
/// let labels = Tensor::from([0, 0, 0, 0, 1, 1]);
/// let (train, held_out) = nn::split_stratified(&labels, 0.5, 42)?;
/// assert_eq!(labels.index_select(0, &train), Tensor::from([0, 0, 1]));
/// # Ok::<(), nn::Error>(())
/// ```
pub fn split_stratified(labels: &Tensor<i64>, share: f64, seed: u64) -> Result<Parts, Error> {
    parts(by_class(labels)?, labels.numel(), share, seed)
}

fn parts(classes: Vec<Vec<i64>>, n: usize, share: f64, seed: u64) -> Result<Parts, Error> {
    if !(share > 0.0 && share < 1.0) {
        return Err(Error::Range { what: "the share of a split", value: share, rule: "above 0 and below 1" });
    }
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let mut before = 0;
    for rows in shuffled(classes, seed) {
        // So many are due of all up to here: what is rounded evens out over the classes.
        let seen = first.len() + second.len() + rows.len();
        let due = (seen as f64 * share).round() as usize - before;
        let due = due.min(rows.len());
        before += due;
        first.extend(&rows[..due]);
        second.extend(&rows[due..]);
    }
    if first.is_empty() || second.is_empty() {
        let why = format!("of {n} rows at {share} leaves one part without any");
        return Err(Error::Invalid { what: "the split", why });
    }
    Ok((ordered(first), ordered(second)))
}

/// The rows 0 to n − 1 for cross-validation: k random parts of as equal sizes as can be, and for each the rows of all
/// others and its own. Each is in order.
///
/// # Errors
/// There are fewer than 2 folds, or more than rows.
///
/// # Example
/// ```
/// for (train, held_out) in nn::folds(10, 5, 42)? {
///     assert_eq!((train.numel(), held_out.numel()), (8, 2));
/// }
/// # Ok::<(), nn::Error>(())
/// ```
#[doc(alias = "KFold")]
pub fn folds(n: usize, k: usize, seed: u64) -> Result<Vec<Parts>, Error> {
    dealt(vec![(0..n as i64).collect()], n, k, seed)
}

/// As [`folds`], but of each class by itself, so that all have as many of each as the others, or one more.
///
/// # Errors
/// As [`folds`], or the labels are no vector.
#[doc(alias = "StratifiedKFold")]
pub fn folds_stratified(labels: &Tensor<i64>, k: usize, seed: u64) -> Result<Vec<Parts>, Error> {
    dealt(by_class(labels)?, labels.numel(), k, seed)
}

fn dealt(classes: Vec<Vec<i64>>, n: usize, k: usize, seed: u64) -> Result<Vec<Parts>, Error> {
    if k < 2 || k > n {
        let why = format!("are {k} of {n} rows, but must be from 2 to as many as there are rows");
        return Err(Error::Invalid { what: "the folds", why });
    }
    let mut folds = vec![Vec::new(); k];
    // Dealt like cards, and on from class to class.
    for (place, row) in shuffled(classes, seed).into_iter().flatten().enumerate() {
        folds[place % k].push(row);
    }
    let others = |own: usize| {
        let all = folds.iter().enumerate().filter(|&(fold, _)| fold != own);
        ordered(all.flat_map(|(_, rows)| rows.iter().copied()).collect())
    };
    Ok((0..k).map(|own| (others(own), ordered(folds[own].clone()))).collect())
}

fn shuffled(classes: Vec<Vec<i64>>, seed: u64) -> Vec<Vec<i64>> {
    let mut rng = stream(seed, 0, b"evenkeel: split.");
    let shuffle = |rows: Vec<i64>| init::randperm(rows.len(), &mut rng).iter().map(|i| rows[i as usize]).collect();
    classes.into_iter().map(shuffle).collect()
}

fn ordered(mut rows: Vec<i64>) -> Tensor<i64> {
    rows.sort_unstable();
    rows.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(parts: &[&Tensor<i64>]) -> Vec<i64> {
        let mut all: Vec<i64> = parts.iter().flat_map(|rows| rows.iter()).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn parts_are_apart_and_make_up_the_whole() {
        let labels: Tensor<i64> = (0..103).map(|i| i % 3 + i64::from(i < 60) * 5).collect();
        for (first, second) in [split(103, 0.7, 1).unwrap(), split_stratified(&labels, 0.7, 1).unwrap()] {
            assert_eq!((first.numel(), second.numel()), (72, 31));
            assert_eq!(sorted(&[&first, &second]), (0..103).collect::<Vec<_>>());
        }
        let (first, _) = split_stratified(&labels, 0.7, 1).unwrap();
        for class in by_class(&labels).unwrap() {
            let own = first.iter().filter(|row| class.contains(row)).count() as f64;
            assert!((own - 0.7 * class.len() as f64).abs() <= 1.0);
        }
        for k in [2, 5, 103] {
            let plain = folds(103, k, 1).unwrap();
            let stratified = folds_stratified(&labels, k, 1).unwrap();
            for folds in [&plain, &stratified] {
                let own: Vec<&Tensor<i64>> = folds.iter().map(|(_, own)| own).collect();
                assert_eq!(sorted(&own), (0..103).collect::<Vec<_>>());
                assert!(own.iter().all(|own| own.numel() == 103 / k || own.numel() == 103 / k + 1));
                assert!(folds.iter().all(|(others, own)| sorted(&[others, own]).len() == 103));
            }
            for class in by_class(&labels).unwrap() {
                let counts = stratified.iter().map(|(_, own)| own.iter().filter(|row| class.contains(row)).count());
                let (least, most) = counts.fold((usize::MAX, 0), |(least, most), n| (least.min(n), most.max(n)));
                assert!(most - least <= 1, "{k}");
            }
        }
        assert_ne!(split(103, 0.7, 1).unwrap().0, split(103, 0.7, 2).unwrap().0);
    }

    #[test]
    fn what_cannot_be_parted_is_refused() {
        for share in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(split(10, share, 1).is_err(), "{share}");
        }
        let why = split(3, 0.1, 1).unwrap_err().to_string();
        assert_eq!(why, "the split of 3 rows at 0.1 leaves one part without any");
        assert!(split(0, 0.5, 1).is_err() && split(1, 0.5, 1).is_err());
        assert_eq!(
            folds(3, 4, 1).unwrap_err().to_string(),
            "the folds are 4 of 3 rows, but must be from 2 to as many as there are rows"
        );
        assert!(folds(3, 1, 1).is_err() && folds(0, 0, 1).is_err());
        assert!(folds_stratified(&Tensor::from([1, 1]), 3, 1).is_err());
    }
}
