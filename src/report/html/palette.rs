//! Defines the colours for light and dark mode.
//!
//! Charts are drawn in the light colours. The style sheet replaces each colour of a chart with a variable,
//! and dark mode gives the variable another value. A picture is therefore drawn once for both modes. Series
//! differ in shape as well as in colour.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// A colour in light and in dark mode, and its name in the style sheet.
#[derive(Clone, Copy, Debug)]
pub(in crate::report) struct Hue {
    light: (u8, u8, u8),
    dark: (u8, u8, u8),
    name: &'static str,
}

/// Text and axes.
pub(super) const INK: Hue = Hue { light: (34, 38, 46), dark: (226, 229, 235), name: "ink" };
/// Grid lines and the reference line.
pub(in crate::report) const FAINT: Hue =
    Hue { light: (214, 218, 225), dark: (62, 68, 80), name: "faint" };
/// The bound of the speedup.
pub(super) const BOUND: Hue = Hue { light: (120, 126, 138), dark: (150, 157, 170), name: "bound" };
/// Aborted incarnations.
pub(super) const ABORTED: Hue =
    Hue { light: (200, 30, 45), dark: (255, 110, 110), name: "aborted" };

/// The colours of series. Readers with any kind of colour vision can distinguish them (M. Okabe and K. Ito,
/// *Color Universal Design*, 2008). They are slightly darker in light mode and lighter in dark mode.
const SERIES: [Hue; 8] = [
    Hue { light: (0, 114, 178), dark: (92, 172, 238), name: "s0" },
    Hue { light: (213, 94, 0), dark: (255, 146, 66), name: "s1" },
    Hue { light: (0, 143, 105), dark: (55, 200, 150), name: "s2" },
    Hue { light: (176, 90, 150), dark: (232, 150, 205), name: "s3" },
    Hue { light: (180, 125, 0), dark: (240, 190, 60), name: "s4" },
    Hue { light: (50, 140, 190), dark: (130, 210, 250), name: "s5" },
    Hue { light: (110, 90, 200), dark: (170, 155, 255), name: "s6" },
    Hue { light: (120, 110, 90), dark: (190, 180, 155), name: "s7" },
];

/// The colour of a series. The ninth series has the first colour again.
pub(in crate::report) const fn series(index: usize) -> Hue {
    SERIES[index % SERIES.len()]
}

impl Hue {
    /// The colour for drawing.
    pub(super) const fn color(self) -> RGBColor {
        RGBColor(self.light.0, self.light.1, self.light.2)
    }

    /// The variable of the style sheet.
    pub(super) fn variable(self) -> String {
        format!("var(--{})", self.name)
    }
}

fn all() -> impl Iterator<Item = Hue> {
    [INK, FAINT, BOUND, ABORTED].into_iter().chain(SERIES)
}

fn hex((red, green, blue): (u8, u8, u8)) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// The variables with their values in light mode.
pub(super) fn light() -> String {
    all().fold(String::new(), |mut css, hue| {
        // Writing to a string does not fail.
        let _ = write!(css, "--{}:{};", hue.name, hex(hue.light));
        css
    })
}

/// The variables with their values in dark mode.
pub(super) fn dark() -> String {
    all().fold(String::new(), |mut css, hue| {
        let _ = write!(css, "--{}:{};", hue.name, hex(hue.dark));
        css
    })
}

/// Style rules that replace the drawn colours with the variables.
pub(super) fn rules() -> String {
    all().fold(String::new(), |mut css, hue| {
        let (hex, name) = (hex(hue.light), hue.name);
        let _ = writeln!(css, "svg [fill=\"{hex}\"]{{fill:var(--{name})}}");
        let _ = writeln!(css, "svg [stroke=\"{hex}\"]{{stroke:var(--{name})}}");
        css
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn all_hues_have_distinct_colours() {
        let colours: BTreeSet<_> = all().map(|hue| hex(hue.light)).collect();
        assert_eq!(colours.len(), all().count());
    }

    /// Relative luminance (WCAG 2.2).
    fn luminance((red, green, blue): (u8, u8, u8)) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    #[test]
    fn every_series_has_enough_contrast_in_light_and_dark_mode() {
        let contrast = |one: f64, other: f64| (one.max(other) + 0.05) / (one.min(other) + 0.05);
        for hue in SERIES.into_iter().chain([INK, ABORTED, BOUND]) {
            let light = contrast(luminance(hue.light), luminance((255, 255, 255)));
            let dark = contrast(luminance(hue.dark), luminance((22, 25, 31)));
            assert!(light >= 3.0 && dark >= 3.0, "{}: {light:.1} and {dark:.1}", hue.name);
        }
    }
}
