//! Logarithms of the gamma function, and their slopes, of f64: by Stirling's series from 16 on (Abramowitz and Stegun, 1964, 6.1.41 and 6.3.18),
//! and from below by ln Γ(z + 1) = ln Γ(z) + ln z.

use tensor::Real;

/// From here on, the first term that is left out of a series is below the last bit.
const FAR: f64 = 16.0;

/// What ln Γ(z) has beyond (z − ½) ln z − z + ½ ln 2π.
fn rest(z: f64) -> f64 {
    let w = 1.0 / (z * z);
    (1.0 / 12.0 - w * (1.0 / 360.0 - w * (1.0 / 1260.0 - w * (1.0 / 1680.0 - w / 1188.0)))) / z
}

/// What ψ(z), the slope of ln Γ, has beyond ln z.
fn rest_of_slope(z: f64) -> f64 {
    let w = 1.0 / (z * z);
    -0.5 / z - w * (1.0 / 12.0 - w * (1.0 / 120.0 - w * (1.0 / 252.0 - w * (1.0 / 240.0 - w / 132.0))))
}

/// ln Γ(z + k) − ln Γ(z) of z above 0 and k from 0 on, which loses no digits where z is large and k is not.
pub(super) fn ln_gamma_ratio(z: f64, k: f64) -> f64 {
    let (mut z, mut below, mut product) = (z, 0.0, 1.0);
    while z < FAR {
        product *= 1.0 + k / z;
        if product > 1e200 {
            below += Real::ln(product);
            product = 1.0;
        }
        z += 1.0;
    }
    let far = (z - 0.5) * Real::ln_1p(k / z) + k * Real::ln(z + k) - k + (rest(z + k) - rest(z));
    far - below - Real::ln(product)
}

/// ψ(z + k) − ψ(z)
pub(super) fn digamma_difference(z: f64, k: f64) -> f64 {
    let (mut z, mut below) = (z, 0.0);
    while z < FAR {
        below += k / (z * (z + k));
        z += 1.0;
    }
    Real::ln_1p(k / z) + (rest_of_slope(z + k) - rest_of_slope(z)) + below
}

/// Euler's constant γ = −ψ(1).
const EULER: f64 = 0.577_215_664_901_532_9;

/// ψ(z) of z above 0.
pub(super) fn digamma(z: f64) -> f64 {
    if z >= 1.0 { digamma_difference(1.0, z - 1.0) - EULER } else { digamma(z + 1.0) - 1.0 / z }
}

/// ln k!
pub(super) fn ln_factorial(k: f64) -> f64 {
    ln_gamma_ratio(1.0, k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(got: f64, want: f64) {
        assert!((got - want).abs() <= 4e-15 * want.abs().max(1.0), "{got} for {want}");
    }

    #[test]
    fn they_are_those_of_sums_and_tables() {
        for z in [1e-30, 0.01, 0.5, 1.0, 3.7, 15.9, 16.0, 200.0, 1e6] {
            let (mut sum, mut slope) = (0.0, 0.0);
            for k in 0..40 {
                near(ln_gamma_ratio(z, f64::from(k)), sum);
                near(digamma_difference(z, f64::from(k)) * z.min(1.0), slope * z.min(1.0));
                sum += (z + f64::from(k)).ln();
                slope += 1.0 / (z + f64::from(k));
            }
        }
        // Γ(½) = √π, 170! and ψ(½) = −γ − 2 ln 2.
        near(ln_gamma_ratio(0.5, 0.5), -0.5 * std::f64::consts::PI.ln());
        near(ln_factorial(170.0), 706.573_062_245_787_4);
        near(digamma(0.5), -EULER - 2.0 * std::f64::consts::LN_2);
        near(digamma(10.0), 2.251_752_589_066_721);
        // Where ln Γ itself has no digit left behind the point.
        near(ln_gamma_ratio(1e18, 2.0), 2.0 * 1e18_f64.ln());
    }
}
