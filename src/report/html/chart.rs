//! Draws two kinds of charts. Each chart has a wide and a narrow form, and the page shows the one that fits.
//!
//! [`Rows`] has one line per item along a single numeric axis. [`Plot`] has two axes. A chart is described by
//! data, so that both forms and the table next to them show the same numbers.

use std::io;

use maud::{Markup, PreEscaped, html};
use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, Side, keyed};
use super::palette::{BOUND, FAINT, Hue, INK, series};
use crate::report::ReportError;

/// Widths of the two forms in pixels, and their CSS classes.
const WIDTHS: [(u32, &str); 2] = [(960, "wide"), (340, "narrow")];

/// Font size in pixels. The library draws a font smaller than its nominal size by a factor of 1.24.
const TEXT: f64 = 12.0 * 1.24;

/// Maximum width of a character in pixels.
const CHARACTER: u32 = 8;

/// Margin above and below the drawing in pixels.
const MARGIN: u32 = 12;

/// Space for the numbers and the title of an axis in pixels, below and beside a chart.
const AXIS: u32 = 44;
const SIDE_AXIS: u32 = 64;

/// Above this height in pixels a chart repeats its axis at the top, because a screen does not show both ends.
const ONE_SCREEN: u32 = 800;

/// Maximum number of lines of a chart by block. More of them fill many screens, and most of the page's size.
pub(in crate::report) const MOST_LINES: usize = 100;

pub(in crate::report) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(in crate::report) type DrawError = DrawingAreaErrorKind<io::Error>;

/// Says which blocks a chart shows; empty if it shows all.
pub(in crate::report) fn selection(what: &str, drawn: usize, all: usize) -> String {
    if drawn == all {
        return String::new();
    }
    format!(" The chart shows the {drawn} blocks with the smallest {what}, of {all}.")
}

/// A mark on a line of [`Rows`].
#[derive(Clone, Copy, Debug)]
pub(in crate::report) enum Mark {
    /// A value with its interval.
    Point { value: f64, low: f64, high: f64, series: usize },
    /// The bound of the speedup.
    Bound { value: f64 },
    /// A bar between two values.
    Bar { from: f64, to: f64, series: usize },
    /// Minimum, lower quartile, median, upper quartile, maximum.
    Spread { five: [f64; 5], series: usize },
}

/// A chart with one line per item.
#[derive(Clone, Debug)]
pub(in crate::report) struct Rows {
    pub(in crate::report) title: String,
    pub(in crate::report) axis: &'static str,
    /// Label and marks of each line. A mark has its vertical position in the line, from 0 to 1.
    pub(in crate::report) rows: Vec<(String, Vec<(f64, Mark)>)>,
    pub(in crate::report) scale: Axis,
    /// A reference value, such as a speedup of 1.
    pub(in crate::report) reference: Option<f64>,
    /// Height of a line in pixels.
    pub(in crate::report) height: u32,
}

impl Rows {
    /// Draws both forms.
    pub(in crate::report) fn draw(&self) -> Result<Markup, ReportError> {
        forms(&self.title, self.pixels(), &|area, width| self.draw_on(area, width))
    }

    /// Draws the wide form as a separate picture, with its width and height.
    pub(in crate::report) fn draw_alone(&self) -> Result<(String, u32, u32), ReportError> {
        let (width, height) = (WIDTHS[0].0, self.pixels());
        let drawn = drawn(&self.title, (width, height), &|area, width| self.draw_on(area, width))?;
        Ok((inside(&drawn).to_owned(), width, height))
    }

    fn pixels(&self) -> u32 {
        self.lines() + 2 * MARGIN + AXIS + self.top_axis()
    }

    const fn lines(&self) -> u32 {
        self.height * self.rows.len() as u32
    }

    const fn top_axis(&self) -> u32 {
        if self.lines() > ONE_SCREEN { AXIS } else { 0 }
    }

    fn draw_on(&self, area: &Area<'_>, width: u32) -> Result<(), DrawError> {
        let longest = self.rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        let labels = (longest as u32 * CHARACTER + 12).min(width / 2);
        let mut chart = ChartBuilder::on(area)
            .margin_top(MARGIN)
            .margin_bottom(MARGIN)
            .margin_right(16)
            .margin_left(labels)
            .x_label_area_size(AXIS)
            .top_x_label_area_size(self.top_axis())
            .build_cartesian_2d(
                keyed(&self.scale, most_numbers(width)),
                self.rows.len() as f64..0.0,
            )?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_desc(self.axis)
            .x_label_formatter(&|at| self.scale.label(*at))
            .light_line_style(TRANSPARENT)
            .bold_line_style(FAINT.color())
            .axis_style(FAINT.color())
            .label_style(text())
            .draw()?;
        if let Some(reference) = self.reference {
            let at = self.scale.place(reference);
            let ends = [(at, 0.0), (at, self.rows.len() as f64)];
            chart.draw_series(LineSeries::new(ends, INK.color().stroke_width(1)))?;
        }
        for (row, (label, marks)) in self.rows.iter().enumerate() {
            let at = chart.backend_coord(&(self.scale.range().start, row as f64 + 0.5));
            let right = text().pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(label.clone(), (at.0 - 8, at.1), right))?;
            for (down, mark) in marks {
                let pixel =
                    |value: f64| chart.backend_coord(&(self.scale.place(value), row as f64 + down));
                draw_mark(area, &self.scale, *mark, pixel)?;
            }
        }
        Ok(())
    }
}

/// Maximum number of numbers along a horizontal axis.
const fn most_numbers(width: u32) -> usize {
    if width > 600 { 12 } else { 5 }
}

fn draw_mark(
    area: &Area<'_>,
    scale: &Axis,
    mark: Mark,
    pixel: impl Fn(f64) -> (i32, i32),
) -> Result<(), DrawError> {
    match mark {
        Mark::Point { value, low, high, series: index } => {
            let color = series(index).color();
            let ends = vec![pixel(low), pixel(high)];
            area.draw(&PathElement::new(ends, color.stroke_width(2)))?;
            match scale.side(value) {
                Side::Inside => draw_shape(area, index, pixel(value)),
                side => draw_arrow(area, series(index), pixel(value), sideways(side)),
            }
        }
        Mark::Bound { value } if scale.side(value) != Side::Inside => {
            draw_arrow(area, BOUND, pixel(value), sideways(scale.side(value)))
        }
        Mark::Bound { value } => {
            let (x, y) = pixel(value);
            let ends = vec![(x, y - 9), (x, y + 9)];
            area.draw(&PathElement::new(ends, BOUND.color().stroke_width(3)))
        }
        Mark::Bar { from, to, series: index } => {
            let ((left, y), (right, _)) = (pixel(from), pixel(to));
            let corners = [(left, y - 8), (right, y + 8)];
            area.draw(&Rectangle::new(corners, series(index).color().filled()))
        }
        Mark::Spread { five: [least, lower, median, upper, most], series: index } => {
            let color = series(index).color();
            let whiskers = vec![pixel(least), pixel(most)];
            area.draw(&PathElement::new(whiskers, color.stroke_width(2)))?;
            let ((left, y), (right, _)) = (pixel(lower), pixel(upper));
            area.draw(&Rectangle::new([(left, y - 7), (right, y + 7)], color.filled()))?;
            let (x, y) = pixel(median);
            area.draw(&PathElement::new(
                vec![(x, y - 9), (x, y + 9)],
                INK.color().stroke_width(3),
            ))?;
            match scale.side(most) {
                Side::Inside => Ok(()),
                side => draw_arrow(area, series(index), pixel(most), sideways(side)),
            }
        }
    }
}

/// The direction of a value beyond a horizontal axis.
const fn sideways(side: Side) -> (i32, i32) {
    match side {
        Side::Below => (-1, 0),
        Side::Inside | Side::Above => (1, 0),
    }
}

/// An arrow whose tip is at the edge, for a value beyond the axis.
fn draw_arrow(
    area: &Area<'_>,
    hue: Hue,
    (x, y): (i32, i32),
    (right, down): (i32, i32),
) -> Result<(), DrawError> {
    let base = (x - 9 * right, y - 9 * down);
    let corner = |side: i32| (base.0 + 6 * side * down, base.1 + 6 * side * right);
    area.draw(&Polygon::new(vec![(x, y), corner(1), corner(-1)], hue.color().filled()))
}

/// Series differ in shape as well as in colour, so that colour vision is not required.
fn draw_shape(area: &Area<'_>, index: usize, at: (i32, i32)) -> Result<(), DrawError> {
    let color = series(index).color();
    match index % 4 {
        0 => area.draw(&Circle::new(at, 5, color.filled())),
        1 => {
            let corners = [(at.0 - 4, at.1 - 4), (at.0 + 4, at.1 + 4)];
            area.draw(&Rectangle::new(corners, color.filled()))
        }
        2 => area.draw(&TriangleMarker::new(at, 7, color.filled())),
        _ => area.draw(&Cross::new(at, 5, color.stroke_width(3))),
    }
}

/// A line in a [`Plot`].
#[derive(Clone, Debug)]
pub(in crate::report) struct Line {
    pub(in crate::report) points: Vec<(f64, f64)>,
    pub(in crate::report) hue: Hue,
}

impl Line {
    /// A line from left to right through the points of a series.
    pub(in crate::report) fn through(points: &[Point], index: usize) -> Self {
        let own = points.iter().filter(|point| point.series == index);
        let mut points: Vec<_> = own.map(|point| (point.x, point.y)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { points, hue: series(index) }
    }
}

/// A point in a [`Plot`] with its vertical interval.
#[derive(Clone, Copy, Debug)]
pub(in crate::report) struct Point {
    pub(in crate::report) x: f64,
    pub(in crate::report) y: f64,
    pub(in crate::report) low: f64,
    pub(in crate::report) high: f64,
    pub(in crate::report) series: usize,
}

/// A chart with two axes.
#[derive(Clone, Debug)]
pub(in crate::report) struct Plot {
    pub(in crate::report) title: String,
    pub(in crate::report) x_axis: &'static str,
    pub(in crate::report) y_axis: &'static str,
    pub(in crate::report) x: Axis,
    pub(in crate::report) y: Axis,
    pub(in crate::report) lines: Vec<Line>,
    pub(in crate::report) points: Vec<Point>,
}

impl Plot {
    /// Draws both forms.
    pub(in crate::report) fn draw(&self) -> Result<Markup, ReportError> {
        forms(&self.title, 340, &|area, width| self.draw_on(area, width))
    }

    fn draw_on(&self, area: &Area<'_>, width: u32) -> Result<(), DrawError> {
        let mut chart = ChartBuilder::on(area)
            .margin(MARGIN)
            .x_label_area_size(AXIS)
            .y_label_area_size(SIDE_AXIS)
            .build_cartesian_2d(keyed(&self.x, most_numbers(width)), keyed(&self.y, 8))?;
        chart
            .configure_mesh()
            .x_desc(self.x_axis)
            .y_desc(self.y_axis)
            .x_label_formatter(&|at| self.x.label(*at))
            .y_label_formatter(&|at| self.y.label(*at))
            .light_line_style(TRANSPARENT)
            .bold_line_style(FAINT.color())
            .axis_style(FAINT.color())
            .label_style(text())
            .draw()?;
        for Line { points, hue } in &self.lines {
            let style = hue.color().stroke_width(2);
            let placed = points.iter().map(|(x, y)| (self.x.place(*x), self.y.place(*y)));
            chart.draw_series(LineSeries::new(placed, style))?;
        }
        for Point { x, y, low, high, series: index } in &self.points {
            let pixel = |y: f64| chart.backend_coord(&(self.x.place(*x), self.y.place(y)));
            let ends = vec![pixel(*low), pixel(*high)];
            area.draw(&PathElement::new(ends, series(*index).color().stroke_width(2)))?;
            match self.y.side(*y) {
                Side::Inside => draw_shape(area, *index, pixel(*y))?,
                Side::Below => draw_arrow(area, series(*index), pixel(*y), (0, 1))?,
                Side::Above => draw_arrow(area, series(*index), pixel(*y), (0, -1))?,
            }
        }
        Ok(())
    }
}

fn text() -> TextStyle<'static> {
    ("sans-serif", TEXT).into_font().color(&INK.color())
}

/// A function that draws on an area of the given width.
type Draw<'a> = &'a dyn Fn(&Area<'_>, u32) -> Result<(), DrawError>;

/// Draws one form as a separate document.
fn drawn(title: &str, size: (u32, u32), draw: Draw<'_>) -> Result<String, ReportError> {
    let mut drawn = String::new();
    {
        let area = SVGBackend::with_string(&mut drawn, size).into_drawing_area();
        draw(&area, size.0).and_then(|()| area.present()).map_err(|source| ReportError::Chart {
            chart: title.to_owned(),
            source: Box::new(source),
        })?;
    }
    Ok(drawn)
}

/// The wide and the narrow form of a picture. Only one of them is visible to readers and screen readers.
fn forms(title: &str, height: u32, draw: Draw<'_>) -> Result<Markup, ReportError> {
    let mut forms = Vec::new();
    for (width, class) in WIDTHS {
        let drawn = drawn(title, (width, height), draw)?;
        forms.push(html! {
            svg class=(class) role="img" aria-label={ (title) "; the numbers are in the table below" }
                viewBox={ "0 0 " (width) " " (height) } { (PreEscaped(inside(&drawn))) }
        });
    }
    Ok(html! { @for form in forms { (form) } })
}

/// The content of the outermost element. The page writes that element itself.
fn inside(svg: &str) -> &str {
    let begin = svg.find('>').map_or(0, |at| at + 1);
    let end = svg.rfind("</svg>").unwrap_or(svg.len());
    svg.get(begin..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_wide_and_a_narrow_form_with_a_label_and_no_fixed_size() {
        let point = Mark::Point { value: 1.5, low: 1.4, high: 1.6, series: 0 };
        let rows = Rows {
            title: "a <title>".into(),
            axis: "speedup",
            rows: vec![("<5>".into(), vec![(0.5, point)])],
            scale: Axis::linear(0.0..2.0),
            reference: Some(1.0),
            height: 30,
        };
        let text = rows.draw().unwrap().into_string();
        assert_eq!(text.matches("<svg").count(), 2);
        assert_eq!(text.matches("</svg>").count(), 2);
        assert!(text.contains(r#"aria-label="a &lt;title&gt;; the numbers"#), "{text}");
        assert!(text.contains("&lt;5&gt;"), "{text}");
        assert!(!text.contains(" width=\"960\""), "{text}");
    }
}
