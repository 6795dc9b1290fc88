//! Sequences as tensors: ragged ones, windows of a long one, and how one goes on.
//!
//! # Example
//! Windows of a series, of which the last part is held out, and a state that is carried from batch to batch:
//!
//! ```
//! use nn::sequences::Windows;
//! use nn::Batches;
//! use tensor::Tensor;
//!
//! let series: Tensor = (0..100).map(|t| (t as f32 / 7.0).sin()).collect();
//! let windows = Windows::new(100, 10, 1)?;
//! let (train, held_out) = windows.split(80)?; // no target of `train` is at 80 or behind
//! let (x, y) = windows.of(&series, Batches::new(&train, 32)?.shuffled(42).rows(0));
//! assert_eq!((x.dims(), y.dims()), (&[32, 10][..], &[32, 1][..]));
//! # Ok::<(), nn::Error>(())
//! ```

use autograd::{Tape, Var};
use tensor::{Element, Float, Tensor};

use crate::Error;

/// Rows of different lengths as a matrix `[N, L]` that ends in padding, and the length of each, such as `LSTM::run_padded` takes.
///
/// # Example
/// ```
/// use nn::sequences::pad_rows;
/// use tensor::Tensor;
///
/// let (x, lengths) = pad_rows(&[vec![1_i64, 2, 3], vec![4]], 0);
/// assert_eq!((x, lengths), (Tensor::from([[1, 2, 3], [4, 0, 0]]), vec![3, 1]));
/// ```
pub fn pad_rows<T: Element>(rows: &[impl AsRef<[T]>], padding: T) -> (Tensor<T>, Vec<usize>) {
    let lengths: Vec<usize> = rows.iter().map(|row| row.as_ref().len()).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let all = Tensor::from_fn([rows.len(), longest], |i| rows[i[0]].as_ref().get(i[1]).copied().unwrap_or(padding));
    (all, lengths)
}

/// Sequences `[Lᵢ, …]` of different lengths as one tensor `[N, L, …]` that ends in padding, and the length of each. PyTorch's
/// `pad_sequence(batch_first=True)`.
///
/// # Errors
/// A sequence is a scalar, or its elements have another shape than those of the first.
///
/// # Example
/// ```
/// use nn::sequences::pad_sequence;
/// use tensor::Tensor;
///
/// let (x, lengths) = pad_sequence(&[Tensor::<f32>::ones([5, 3]), Tensor::ones([2, 3])], 0.0)?;
/// assert_eq!((x.dims(), &lengths[..]), (&[2, 5, 3][..], &[5, 2][..]));
/// assert_eq!(x.select(0, 1).sum(..).item(), 6.0);
/// # Ok::<(), nn::Error>(())
/// ```
pub fn pad_sequence<T: Element>(sequences: &[Tensor<T>], padding: T) -> Result<(Tensor<T>, Vec<usize>), Error> {
    let element = sequences.first().map_or(&[][..], |first| first.dims().get(1..).unwrap_or(&[]));
    for (n, sequence) in sequences.iter().enumerate() {
        if sequence.dims().split_first().is_none_or(|(_, rest)| rest != element) {
            let why = format!("is {}, but must be [L, …] with elements of {element:?}, as the first", sequence.shape());
            return Err(Error::Invalid { what: "a sequence", why: format!("({n}) {why}") });
        }
    }
    let lengths: Vec<usize> = sequences.iter().map(|sequence| sequence.dims()[0]).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let dims = [&[sequences.len(), longest], element].concat();
    let mut all = Tensor::full(&dims[..], padding);
    for (n, sequence) in sequences.iter().enumerate() {
        let row = all.select(0, n).slice_assign(0, 0..lengths[n], sequence);
        all = all.slice_assign(0, n..n + 1, row.unsqueeze(0));
    }
    Ok((all, lengths))
}

/// Windows of a series: some steps that are known, the context, and those behind, the horizon, which are to be foretold. A window is called
/// by the place of its first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    len: usize,
    context: usize,
    horizon: usize,
    stride: usize,
}

impl Windows {
    /// All windows of a series of `len` steps.
    ///
    /// # Errors
    /// A size is 0, or no window fits.
    pub fn new(len: usize, context: usize, horizon: usize) -> Result<Self, Error> {
        let windows = Windows { len, context, horizon, stride: 1 };
        if context == 0 || horizon == 0 {
            let what = if context == 0 { "the context of a window" } else { "the horizon of a window" };
            return Err(Error::Range { what, value: 0.0, rule: "at least 1" });
        }
        if context.checked_add(horizon).is_none_or(|size| size > len) {
            let why = format!("of {context} and {horizon} steps, which do not fit into a series of {len}");
            return Err(Error::Invalid { what: "a window", why });
        }
        Ok(windows)
    }

    /// Takes windows that begin so many steps apart.
    ///
    /// # Errors
    /// The stride is 0.
    pub fn stride(self, stride: usize) -> Result<Self, Error> {
        if stride == 0 {
            return Err(Error::Range { what: "the stride of windows", value: 0.0, rule: "at least 1" });
        }
        Ok(Windows { stride, ..self })
    }

    fn size(&self) -> usize {
        self.context + self.horizon
    }

    /// Those from one place on that end before another.
    fn between(&self, from: usize, end: usize) -> Tensor<i64> {
        let first = from.next_multiple_of(self.stride);
        (first..(end + 1).saturating_sub(self.size())).step_by(self.stride).map(|start| start as i64).collect()
    }

    /// All of them, for [`Batches`](crate::Batches).
    pub fn all(&self) -> Tensor<i64> {
        self.between(0, self.len)
    }

    /// Those to train with, which lie before step `at` with all of their targets, and those to judge by, whose targets are all at it or behind;
    /// what these know may lie before. So no step that is to be foretold has been trained with.
    ///
    /// # Errors
    /// One of both has no window.
    ///
    /// # Example
    /// ```
    /// use nn::sequences::Windows;
    /// use tensor::Tensor;
    ///
    /// let (train, held_out) = Windows::new(10, 2, 1)?.split(7)?;
    /// assert_eq!(train, Tensor::from([0, 1, 2, 3, 4])); // targets 2 to 6
    /// assert_eq!(held_out, Tensor::from([5, 6, 7])); // targets 7 to 9
    /// # Ok::<(), nn::Error>(())
    /// ```
    pub fn split(&self, at: usize) -> Result<(Tensor<i64>, Tensor<i64>), Error> {
        let parts = (self.between(0, at.min(self.len)), self.between(at.saturating_sub(self.context), self.len));
        if parts.0.is_empty() || parts.1.is_empty() {
            let side = if parts.0.is_empty() { "before" } else { "behind" };
            let why = format!("at step {at} of {} leaves no window of {} steps {side} it", self.len, self.size());
            return Err(Error::Invalid { what: "the split", why });
        }
        Ok(parts)
    }

    /// Windows of a series for a state that is carried ([`Carried`](crate::Carried)): the series is cut into as many streams as a batch
    /// has rows, and each batch of that many goes on where the one before has ended. The context is the stride, and the horizon may be as
    /// long: what follows each step, one later, is [`next`](Self::next).
    ///
    /// # Errors
    /// `streams` is 0, or one of them is shorter than a window.
    ///
    /// # Example
    /// ```
    /// use nn::sequences::Windows;
    /// use tensor::Tensor;
    ///
    /// let rows = Windows::new(13, 3, 1)?.streams(2)?; // 0 to 5 and 6 to 11, and what follows
    /// assert_eq!(rows, Tensor::from([0, 6, 3, 9]));
    /// # Ok::<(), nn::Error>(())
    /// ```
    pub fn streams(&self, streams: usize) -> Result<Tensor<i64>, Error> {
        let each = (self.len - self.horizon).checked_div(streams).unwrap_or(0) / self.context;
        if each == 0 {
            let why = format!(
                "of a series of {} steps are shorter than a window of {}: {} at most would do",
                self.len,
                self.size(),
                (self.len - self.horizon) / self.context
            );
            return Err(Error::Invalid { what: "streams", why: format!("({streams}) {why}") });
        }
        let start = |i: usize| (i % streams * each + i / streams) * self.context;
        Ok((0..each * streams).map(|i| start(i) as i64).collect())
    }

    /// What the windows of these rows know, `[B, context, …]`, and what is to be foretold, `[B, horizon, …]`, of a series `[L, …]`.
    ///
    /// # Panics
    /// The series has another length, or a row is no window's.
    #[track_caller]
    pub fn of<T: Element>(&self, series: &Tensor<T>, rows: &Tensor<i64>) -> (Tensor<T>, Tensor<T>) {
        let all = self.steps(series, rows, 0, self.size());
        (all.slice(1, ..self.context), all.slice(1, self.context..))
    }

    /// What the windows of these rows know, `[B, context, …]`, and for each step the one behind it, of the same shape: what a recurrent
    /// network is to say at each step.
    ///
    /// # Panics
    /// As [`of`](Self::of).
    ///
    /// # Example
    /// ```
    /// use nn::sequences::Windows;
    /// use tensor::Tensor;
    ///
    /// let text: Tensor<i64> = (0..13).collect();
    /// let windows = Windows::new(13, 3, 1)?;
    /// let (x, y) = windows.next(&text, &Tensor::from([0, 6]));
    /// assert_eq!((x, y), (Tensor::from([[0, 1, 2], [6, 7, 8]]), Tensor::from([[1, 2, 3], [7, 8, 9]])));
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[track_caller]
    pub fn next<T: Element>(&self, series: &Tensor<T>, rows: &Tensor<i64>) -> (Tensor<T>, Tensor<T>) {
        (self.steps(series, rows, 0, self.context), self.steps(series, rows, 1, self.context))
    }

    #[track_caller]
    fn steps<T: Element>(&self, series: &Tensor<T>, rows: &Tensor<i64>, from: usize, count: usize) -> Tensor<T> {
        let len = series.dims().first().copied().unwrap_or(0);
        assert!(
            len == self.len,
            "Windows: of a series of {} steps, got {}{}",
            self.len,
            series.shape(),
            tensor::Whereabouts
        );
        let last = (self.len - self.size()) as i64;
        if let Some(row) = rows.iter().find(|row| !(0..=last).contains(row)) {
            panic!("Windows: no window begins at {row}: they do from 0 to {last}{}", tensor::Whereabouts);
        }
        let places = rows.unsqueeze(1) + (from as i64..(from + count) as i64).collect::<Tensor<i64>>();
        let dims = [&[rows.numel(), count], series.dims().get(1..).unwrap_or(&[])].concat();
        series.index_select(0, &places.reshape(places.numel())).reshape(&dims[..])
    }
}

/// Goes on with sequences, one step ahead at a time: `step` is given the elements `[N, L, …]` of a prompt and a state, and says what comes next,
/// `[N, …]`, and the state to go on with; then it is given what it said, as `[N, 1, …]`. Returns `count` elements, `[N, count, …]`.
///
/// Each step has a tape of its own for evaluation, seeded by (`seed`, step), so that memory stays flat.
///
/// # Panics
/// `step` panics, or gives elements of different shapes.
///
/// # Example
/// Symbols by chance, of a network that nobody has trained:
///
/// ```
/// use autograd::{Tape, Var};
/// use nn::sequences::generate;
/// use nn::{Embedding, GRU, Layer, Linear};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let (symbols, gru) = (Embedding::new_torch(27, 8, &mut rng)?, GRU::new_torch(8, 16, &mut rng)?);
/// let head = Linear::new_torch(16, 27, &mut rng)?;
/// let prompt = Tensor::from([[0, 5, 13]]);
/// let said = generate(&prompt, 10, 42, vec![Tensor::zeros([1, 16])], |tape: &Tape, x, state| {
///     let (_, last) = gru.run(symbols.forward(tape, x), state[0]);
///     let next = tape.multinomial(&head.forward(last).softmax(-1).value(), 1, true);
///     (next.squeeze(1), vec![last.value()])
/// });
/// assert_eq!(said.dims(), [1, 10]);
/// # Ok::<(), nn::Error>(())
/// ```
#[track_caller]
pub fn generate<T: Float, X: Element>(
    prompt: &Tensor<X>,
    count: usize,
    seed: u64,
    state: Vec<Tensor<T>>,
    step: impl for<'t> Fn(&'t Tape<T>, &Tensor<X>, &[Var<'t, T>]) -> (Tensor<X>, Vec<Tensor<T>>),
) -> Tensor<X> {
    let (mut given, mut state, mut said) = (prompt.clone(), state, Vec::with_capacity(count));
    let mut tape = Tape::in_mode(autograd::Mode::Eval);
    for number in 0..count {
        tape.reset();
        tape.seed(seed, number as u64);
        let (next, after) = {
            let state: Vec<Var<'_, T>> = state.iter().map(|value| tape.constant(value.clone())).collect();
            step(&tape, &given, &state)
        };
        (given, state) = (next.unsqueeze(1), after);
        said.push(next);
    }
    match said.is_empty() {
        // None at all, of the shape that they would have.
        true => prompt.slice(1, ..0),
        false => Tensor::stack(&said, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_target_is_on_both_sides_of_a_split() {
        for (len, context, horizon, stride) in [(10, 2, 1, 1), (50, 7, 3, 1), (50, 7, 3, 4), (9, 1, 5, 2)] {
            let windows = Windows::new(len, context, horizon).unwrap().stride(stride).unwrap();
            let series: Tensor<i64> = (0..len as i64).collect();
            for at in 0..=len + 2 {
                let Ok((train, held_out)) = windows.split(at) else { continue };
                let (x, y) = windows.of(&series, &train);
                assert!(x.iter().chain(y.iter()).all(|step| step < at as i64), "{windows:?} at {at}");
                let (x, y) = windows.of(&series, &held_out);
                assert!(y.iter().all(|step| step >= at as i64) && x.iter().all(|step| step < len as i64));
                // None that could be there is left out.
                let fits = |row: i64| row % stride as i64 == 0 && row + (context + horizon) as i64 <= len as i64;
                let count = (0..len as i64).filter(|&row| fits(row) && row + context as i64 >= at as i64).count();
                assert_eq!(held_out.numel(), count);
            }
        }
        let why = |result: Result<_, Error>| result.map(|_: (Tensor<i64>, Tensor<i64>)| ()).unwrap_err().to_string();
        let windows = Windows::new(10, 2, 1).unwrap();
        assert_eq!(why(windows.split(2)), "the split at step 2 of 10 leaves no window of 3 steps before it");
        assert_eq!(why(windows.split(10)), "the split at step 10 of 10 leaves no window of 3 steps behind it");
    }

    #[test]
    fn streams_go_on_from_batch_to_batch() {
        let windows = Windows::new(101, 5, 1).unwrap();
        let text: Tensor<i64> = (0..101).collect();
        let rows = windows.streams(4).unwrap();
        let mut last: Option<Tensor<i64>> = None;
        for batch in rows.to_vec().chunks(4) {
            let (x, y) = windows.next(&text, &Tensor::from_slice(batch));
            assert_eq!(y, &x + 1);
            if let Some(last) = last {
                assert_eq!(x.select(1, 0), last);
            }
            last = Some(y.select(1, -1));
        }
        // Each step once.
        let (x, _) = windows.next(&text, &rows);
        let mut all = x.to_vec();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        let why = windows.streams(21).map(|_| ()).unwrap_err().to_string();
        assert!(why.contains("20 at most would do"), "{why}");
        assert!(windows.streams(0).is_err());
    }

    #[test]
    fn sizes_of_nothing_are_refused() {
        let why = |result: Result<Windows, Error>| result.map(|_| ()).unwrap_err().to_string();
        assert_eq!(why(Windows::new(5, 0, 1)), "the context of a window is 0, but must be at least 1");
        assert_eq!(why(Windows::new(5, 4, 2)), "a window of 4 and 2 steps, which do not fit into a series of 5");
        assert!(Windows::new(usize::MAX, usize::MAX, 1).is_err());
        assert_eq!(why(Windows::new(5, 4, 1).unwrap().stride(0)), "the stride of windows is 0, but must be at least 1");
    }

    #[test]
    #[should_panic(expected = "Windows: no window begins at 8: they do from 0 to 7")]
    fn a_row_is_a_windows() {
        let series = Tensor::<f32>::zeros([10]);
        Windows::new(10, 2, 1).unwrap().of(&series, &Tensor::from([8]));
    }

    #[test]
    fn ragged_ones_of_any_shape_are_padded() {
        let (x, lengths) = pad_rows(&[vec![], vec![1.0_f32], vec![2.0, 3.0]], -1.0);
        assert_eq!((x, lengths), (Tensor::from([[-1.0, -1.0], [1.0, -1.0], [2.0, 3.0]]), vec![0, 1, 2]));
        assert_eq!(pad_rows::<i64>(&[] as &[Vec<i64>], 0).0.dims(), [0, 0]);
        let sequences = [Tensor::from([[1, 2], [3, 4]]), Tensor::from([[5, 6]])];
        let (x, lengths) = pad_sequence(&sequences, 0).unwrap();
        assert_eq!((x, lengths), (Tensor::from([[[1, 2], [3, 4]], [[5, 6], [0, 0]]]), vec![2, 1]));
        let why = pad_sequence(&[Tensor::from([1.0_f32]), Tensor::from([[1.0]])], 0.0).unwrap_err().to_string();
        assert_eq!(why, "a sequence (1) is [1, 1], but must be [L, …] with elements of [], as the first");
        assert!(pad_sequence(&[Tensor::scalar(1.0_f32)], 0.0).is_err());
        assert_eq!(pad_sequence::<f32>(&[], 0.0).unwrap().0.dims(), [0, 0]);
    }

    #[test]
    fn a_sequence_goes_on_by_its_state() {
        // Of two numbers each the sum of the last two: the state is the one before.
        let ones = Tensor::from([[1.0_f64], [2.0]]);
        let fibonacci = generate(&ones, 5, 0, vec![Tensor::from([0.0, 0.0])], |_, x, state| {
            let last = x.select(1, -1);
            (&last + state[0].value(), vec![last])
        });
        assert_eq!(fibonacci, Tensor::from([[1.0, 2.0, 3.0, 5.0, 8.0], [2.0, 4.0, 6.0, 10.0, 16.0]]));
        let none = generate(&ones, 0, 0, Vec::<Tensor<f64>>::new(), |_, x, _| (x.select(1, 0), vec![]));
        assert_eq!(none.dims(), [2, 0]);
    }
}
