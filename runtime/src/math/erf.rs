//! The error function, `erf(x) = 2/sqrt(pi) * integral of exp(-t^2) for t in 0..x`.
//!
//! The rational approximations of Sun's fdlibm (`s_erf.c`), one to each of four intervals of `|x|`. Near 0 the function itself is
//! approximated, around 1 its distance from 0.845, further out `erfc(x) = exp(-x^2 - 0.5625 + R/S) / x`, where the square is
//! split into a part exact in f64 and a small rest. The error is below 1 ulp.

#![allow(clippy::excessive_precision)] // digits as published

/// erf(1) to 24 bits, so that sums with it round once.
const ERF_ONE: f64 = 8.450_629_115_104_675_292_97e-01;

/// |x| < 0.84375: erf(x) = x + x P(x^2) / Q(x^2).
const P_NEAR: [f64; 5] = [
    1.283_791_670_955_125_585_61e-01,
    -3.250_421_072_470_014_993_70e-01,
    -2.848_174_957_559_851_047_66e-02,
    -5.770_270_296_489_441_591_57e-03,
    -2.376_301_665_665_016_260_84e-05,
];
const Q_NEAR: [f64; 6] = [
    1.0,
    3.979_172_239_591_553_528_19e-01,
    6.502_224_998_876_729_444_85e-02,
    5.081_306_281_875_765_627_76e-03,
    1.324_947_380_043_216_445_26e-04,
    -3.960_228_278_775_368_123_20e-06,
];

/// 0.84375 <= |x| < 1.25: erf(x) = ERF_ONE + P(|x| - 1) / Q(|x| - 1).
const P_ONE: [f64; 7] = [
    -2.362_118_560_752_659_440_77e-03,
    4.148_561_186_837_483_316_66e-01,
    -3.722_078_760_357_013_238_47e-01,
    3.183_466_199_011_617_536_74e-01,
    -1.108_946_942_823_966_774_76e-01,
    3.547_830_432_561_823_593_71e-02,
    -2.166_375_594_868_790_843_00e-03,
];
const Q_ONE: [f64; 7] = [
    1.0,
    1.064_208_804_008_442_282_86e-01,
    5.403_979_177_021_710_489_37e-01,
    7.182_865_441_419_626_628_68e-02,
    1.261_712_198_087_616_421_12e-01,
    1.363_708_391_202_905_073_62e-02,
    1.198_449_984_679_910_741_70e-02,
];

/// 1.25 <= |x| < 1/0.35, in 1/x^2.
const R_MIDDLE: [f64; 8] = [
    -9.864_944_034_847_148_227_05e-03,
    -6.938_585_727_071_817_643_72e-01,
    -1.055_862_622_532_329_098_14e+01,
    -6.237_533_245_032_600_603_96e+01,
    -1.623_966_694_625_734_703_55e+02,
    -1.846_050_929_067_110_359_94e+02,
    -8.128_743_550_630_659_342_46e+01,
    -9.814_329_344_169_145_485_92e+00,
];
const S_MIDDLE: [f64; 9] = [
    1.0,
    1.965_127_166_743_925_712_92e+01,
    1.376_577_541_435_190_426_00e+02,
    4.345_658_774_752_292_288_21e+02,
    6.453_872_717_332_678_803_36e+02,
    4.290_081_400_275_678_333_86e+02,
    1.086_350_055_417_794_351_34e+02,
    6.570_249_770_319_281_701_35e+00,
    -6.042_441_521_485_809_874_38e-02,
];

/// 1/0.35 <= |x| < 6, in 1/x^2.
const R_FAR: [f64; 7] = [
    -9.864_942_924_700_099_285_97e-03,
    -7.992_832_376_805_230_065_74e-01,
    -1.775_795_491_775_475_198_89e+01,
    -1.606_363_848_558_219_160_62e+02,
    -6.375_664_433_683_896_277_22e+02,
    -1.025_095_131_611_077_249_54e+03,
    -4.835_191_916_086_513_970_19e+02,
];
const S_FAR: [f64; 8] = [
    1.0,
    3.033_806_074_348_245_829_24e+01,
    3.257_925_129_965_739_188_26e+02,
    1.536_729_586_084_436_959_94e+03,
    3.199_858_219_508_595_539_08e+03,
    2.553_050_406_433_164_425_83e+03,
    4.745_285_412_069_553_672_15e+02,
    -2.244_095_244_658_581_833_62e+01,
];

/// `coefficients[0] + coefficients[1] x + ...`
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

pub(super) fn erf(x: f64) -> f64 {
    let a = x.abs();
    let magnitude = if a < 0.84375 {
        let square = a * a;
        a + a * (polynomial(&P_NEAR, square) / polynomial(&Q_NEAR, square))
    } else if a < 1.25 {
        ERF_ONE + polynomial(&P_ONE, a - 1.0) / polynomial(&Q_ONE, a - 1.0)
    } else if a < 6.0 {
        1.0 - complement(a)
    } else if a.is_nan() {
        return x;
    } else {
        1.0
    };
    magnitude.copysign(x)
}

/// `1 - erf(a)` for a in 1.25..6.
fn complement(a: f64) -> f64 {
    let s = 1.0 / (a * a);
    let ratio = if a < 1.0 / 0.35 {
        polynomial(&R_MIDDLE, s) / polynomial(&S_MIDDLE, s)
    } else {
        polynomial(&R_FAR, s) / polynomial(&S_FAR, s)
    };
    // The upper half of the mantissa: its square is exact.
    let head = f64::from_bits(a.to_bits() & 0xffff_ffff_0000_0000);
    (-head * head - 0.5625).exp() * ((head - a) * (head + a) + ratio).exp() / a
}

#[cfg(test)]
mod tests {
    use super::erf;

    /// The Maclaurin series, summed in an order that loses little up to 2.
    fn series(x: f64) -> f64 {
        let terms: Vec<f64> = (0..80)
            .scan(x, |power, n| {
                let term = *power / f64::from(2 * n + 1);
                *power *= -x * x / f64::from(n + 1);
                Some(term)
            })
            .collect();
        terms.iter().rev().sum::<f64>() * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn agrees_with_the_series() {
        for step in -200..=200 {
            let x = f64::from(step) / 100.0;
            assert!((erf(x) - series(x)).abs() < 1e-14, "erf({x})");
        }
    }

    /// Values of Abramowitz and Stegun, table 7.1 and beyond.
    #[test]
    fn agrees_with_tables() {
        for (x, value) in [
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (3.0, 0.999_977_909_503_001_4),
            (5.0, 0.999_999_999_998_462_5),
        ] {
            let ulps = (erf(x).to_bits() as i64 - f64::to_bits(value) as i64).abs();
            assert!(ulps <= 2, "erf({x}) is {ulps} ulp off");
        }
    }

    #[test]
    fn keeps_signs_and_ends() {
        assert_eq!(erf(-0.0).to_bits(), (-0.0f64).to_bits());
        assert_eq!(erf(f64::INFINITY), 1.0);
        assert_eq!(erf(-40.0), -1.0);
        assert!(erf(f64::NAN).is_nan());
        assert_eq!(erf(-0.7), -erf(0.7));
    }
}
