//! What the numbers of a scheme must be.

use tensor::Float;

use crate::error::Error;

/// A standard deviation: at least 0, and one that `T` holds. A positive one that `T` rounds to 0 would make a tensor of
/// zeros without a word.
pub(crate) fn std<T: Float>(scheme: &'static str, std: f64) -> Result<(), Error> {
    const WHAT: &str = "the standard deviation";
    if !std.is_finite() || std < 0.0 {
        return Err(Error::number(scheme, WHAT, std, "at least 0 and finite"));
    }
    let held = T::from_f64(std);
    if !held.is_finite() || (held == T::ZERO && std != 0.0) {
        return Err(Error::number(scheme, WHAT, std, format!("0 or in the range of {}", T::DTYPE)));
    }
    Ok(())
}

/// A number that `T` holds.
pub(crate) fn finite<T: Float>(scheme: &'static str, what: &'static str, value: f64) -> Result<(), Error> {
    if T::from_f64(value).is_finite() {
        return Ok(());
    }
    Err(Error::number(scheme, what, value, format!("finite in {}", T::DTYPE)))
}

/// The ends of an interval: finite, also their distance, and in order.
pub(crate) fn interval<T: Float>(scheme: &'static str, [low, high]: [f64; 2]) -> Result<(), Error> {
    finite::<T>(scheme, "the lower end a", low)?;
    finite::<T>(scheme, "the upper end b", high)?;
    if low > high {
        return Err(Error::number(scheme, "the lower end a", low, format!("at most the upper end b, {high}")));
    }
    const DISTANCE: &str = "the distance b − a";
    finite::<T>(scheme, DISTANCE, high - low)?;
    // All elements would be one number, such as 0.
    if low < high && T::from_f64(low) == T::from_f64(high) {
        let rule = format!("0 or wide enough for {} to hold both ends", T::DTYPE);
        return Err(Error::number(scheme, DISTANCE, high - low, rule));
    }
    Ok(())
}

/// A gain or a scale: above 0.
pub(crate) fn positive(scheme: &'static str, (what, value): (&'static str, f64)) -> Result<(), Error> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::number(scheme, what, value, "above 0 and finite"))
}
