//! The normal distribution function and its inverse.

#![allow(clippy::excessive_precision, reason = "the digits of the paper")]

/// Φ(z), the probability of a standard normal number below z.
pub(crate) fn probability(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// z with Φ(z) = p, to a relative error of some 1e-16 (Wichura, 1988, *Algorithm AS 241: The Percentage Points of the
/// Normal Distribution*, PPND16).
pub(crate) fn quantile(p: f64) -> f64 {
    /// |p − ½| ≤ 0.425, in 0.425² − (p − ½)².
    const NEAR: [[f64; 8]; 2] = [
        [
            3.387_132_872_796_366_608,
            1.331_416_678_917_843_774_5e2,
            1.971_590_950_306_551_442_7e3,
            1.373_169_376_550_946_112_5e4,
            4.592_195_393_154_987_145_7e4,
            6.726_577_092_700_870_085_3e4,
            3.343_057_558_358_812_810_5e4,
            2.509_080_928_730_122_672_7e3,
        ],
        [
            1.0,
            4.231_333_070_160_091_125_2e1,
            6.871_870_074_920_579_083e2,
            5.394_196_021_424_751_107_7e3,
            2.121_379_430_158_659_586_7e4,
            3.930_789_580_009_271_061e4,
            2.872_908_573_572_194_267_4e4,
            5.226_495_278_852_854_561e3,
        ],
    ];
    /// r = √(−ln p) ≤ 5, in r − 1.6.
    const FAR: [[f64; 8]; 2] = [
        [
            1.423_437_110_749_683_577_34,
            4.630_337_846_156_545_295_9,
            5.769_497_221_460_691_405_5,
            3.647_848_324_763_204_605_04,
            1.270_458_252_452_368_382_58,
            2.417_807_251_774_506_117_7e-1,
            2.272_384_498_926_918_458_33e-2,
            7.745_450_142_783_414_076_4e-4,
        ],
        [
            1.0,
            2.053_191_626_637_758_821_87,
            1.676_384_830_183_803_849_4,
            6.897_673_349_851_000_045_5e-1,
            1.481_039_764_274_800_745_9e-1,
            1.519_866_656_361_645_719_66e-2,
            5.475_938_084_995_344_946e-4,
            1.050_750_071_644_416_843_24e-9,
        ],
    ];
    /// Beyond, in r − 5.
    const FARTHEST: [[f64; 8]; 2] = [
        [
            6.657_904_643_501_103_777_2,
            5.463_784_911_164_114_369_9,
            1.784_826_539_917_291_335_8,
            2.965_605_718_285_048_912_3e-1,
            2.653_218_952_657_612_309_3e-2,
            1.242_660_947_388_078_438_6e-3,
            2.711_555_568_743_487_578_15e-5,
            2.010_334_399_292_288_132_65e-7,
        ],
        [
            1.0,
            5.998_322_065_558_879_376_9e-1,
            1.369_298_809_227_358_053_1e-1,
            1.487_536_129_085_061_485_25e-2,
            7.868_691_311_456_132_591e-4,
            1.846_318_317_510_054_681_8e-5,
            1.421_511_758_316_445_888_7e-7,
            2.044_263_103_389_939_785_64e-15,
        ],
    ];
    let ratio = |x: f64, [above, below]: &[[f64; 8]; 2]| {
        let horner = |c: &[f64; 8]| c.iter().rev().fold(0.0, |sum, c| sum * x + c);
        horner(above) / horner(below)
    };
    let centred = p - 0.5;
    if centred.abs() <= 0.425 {
        return centred * ratio(0.180_625 - centred * centred, &NEAR);
    }
    let tail = if centred < 0.0 { p } else { 1.0 - p };
    let r = (-libm::log(tail)).sqrt();
    let z = if r <= 5.0 { ratio(r - 1.6, &FAR) } else { ratio(r - 5.0, &FARTHEST) };
    z.copysign(centred)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_and_probability_are_each_others_inverse() {
        for i in -370..=82 {
            let z = f64::from(i) / 10.0;
            let found = quantile(probability(z));
            // Near 1, p itself is known to 1e-16 only.
            let allowed = 2e-15 * z.abs().max(0.1) + 1.2e-16 / ((-z * z / 2.0).exp() / 2.5) * f64::from(z > 0.0);
            assert!((found - z).abs() <= allowed, "{z}: {found}");
        }
    }

    #[test]
    fn known_values() {
        // torch.special.ndtr and ndtri in f64
        assert_eq!(probability(0.0), 0.5);
        assert!((probability(-1.0) - 0.158_655_253_931_457_05).abs() < 1e-16);
        assert!((quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-15);
        assert!((quantile(1e-20) + 9.262_340_089_798_409).abs() < 1e-14);
    }
}
