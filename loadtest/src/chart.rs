//! Charts of a run, drawn as SVG.
//!
//! Colours are placeholders: the page maps them to the colours of a light or a dark theme by attribute selectors, see
//! [`INK`], [`GRID`] and [`SERIES_COLOURS`].

use plotters::{
    coord::{Shift, types::RangedCoordf64},
    prelude::{
        Cartesian2d, ChartBuilder, ChartContext, Circle, DrawingArea, IntoDrawingArea as _, LineSeries, SVGBackend,
    },
    style::{Color as _, IntoFont as _, RGBColor, ShapeStyle, TRANSPARENT},
};

use crate::report::Latencies;

/// Placeholder for the colour of text and axes.
pub const INK: RGBColor = RGBColor(1, 1, 1);
/// Placeholder for the colour of grid lines.
pub const GRID: RGBColor = RGBColor(2, 2, 2);
/// Placeholders for the colours of the series, in order.
pub const SERIES_COLOURS: [RGBColor; 6] =
    [RGBColor(3, 3, 1), RGBColor(3, 3, 2), RGBColor(3, 3, 3), RGBColor(3, 3, 4), RGBColor(3, 3, 5), RGBColor(3, 3, 6)];
/// Width and height in pixels, at the size in which text is drawn.
const SIZE: (u32, u32) = (760, 300);
/// Points per line: more than one in two pixels is not visible.
const MAX_POINTS: usize = 400;
/// Below this number, points are drawn as dots as well as a line.
const FEW_POINTS: usize = 30;
/// The furthest percentile, as a power of ten: 99.999%.
const MAX_NINES: f64 = 5.0;

/// Why a chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("could not draw a chart")]
pub struct ChartError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// How values are placed along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// In proportion, from zero.
    Linear,
    /// By their decimal logarithm.
    Log,
    /// Shares below 1, by their number of nines.
    Percentile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Axis {
    /// The quantity and its unit.
    label: &'static str,
    scale: Scale,
}

/// A named line.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: &'static str,
    /// Its points, in ascending order of their first members.
    pub points: Vec<(f64, f64)>,
}

/// A chart with one or more lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    title: &'static str,
    x: Axis,
    y: Axis,
    series: Vec<Series>,
}

impl Chart {
    /// The distribution of latencies: for each percentile, the latency that it does not exceed. Series without
    /// latencies are left out.
    pub fn latencies<'a>(title: &'static str, of: impl IntoIterator<Item = (&'static str, &'a Latencies)>) -> Self {
        let x = Axis { label: "percentile of the requests", scale: Scale::Percentile };
        let y = Axis { label: "latency, ms", scale: Scale::Log };
        Self::new(title, x, y, of.into_iter().map(|(name, all)| Series { name, points: all.percentiles() }))
    }

    /// Values over the seconds since the beginning of a run, averaged to [`MAX_POINTS`] points. `unit` is that of the
    /// values.
    pub fn over_time(title: &'static str, unit: &'static str, series: impl IntoIterator<Item = Series>) -> Self {
        let x = Axis { label: "time, s", scale: Scale::Linear };
        let y = Axis { label: unit, scale: Scale::Linear };
        Self::new(title, x, y, series.into_iter().map(|it| Series { points: thinned(&it.points), ..it }))
    }

    /// Values by the rate of requests. `unit` is that of the values.
    pub fn by_rate(title: &'static str, unit: &'static str, series: impl IntoIterator<Item = Series>) -> Self {
        let x = Axis { label: "requests per second", scale: Scale::Linear };
        Self::new(title, x, Axis { label: unit, scale: Scale::Log }, series)
    }

    fn new(title: &'static str, x: Axis, y: Axis, series: impl IntoIterator<Item = Series>) -> Self {
        let series = series.into_iter().filter(|series| !series.points.is_empty()).take(SERIES_COLOURS.len());
        Self { title, x, y, series: series.collect() }
    }

    /// The title.
    pub const fn title(&self) -> &'static str {
        self.title
    }

    /// The lines, at most one per colour of [`SERIES_COLOURS`].
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// Whether there is nothing to draw: no points, or only zeros.
    pub fn is_empty(&self) -> bool {
        self.series.iter().flat_map(|series| &series.points).all(|(_, y)| *y == 0.0)
    }

    /// The chart as an `svg` element.
    ///
    /// # Errors
    /// If the drawing library fails.
    pub fn svg(&self) -> Result<String, ChartError> {
        let mut svg = String::new();
        self.draw(&SVGBackend::with_string(&mut svg, SIZE).into_drawing_area()).map_err(ChartError)?;
        Ok(svg)
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let range = |axis: Axis, of: fn(&(f64, f64)) -> f64| {
            axis.range(self.series.iter().flat_map(|series| &series.points).map(of))
        };
        let (x, y) = (range(self.x, |point| point.0), range(self.y, |point| point.1));
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
        let label = ("sans-serif", 16).into_font().color(&INK);
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .label_style(label)
            .x_desc(self.x.label)
            .y_desc(self.y.label)
            .x_labels(self.x.label_count(x))
            .y_labels(self.y.label_count(y))
            .x_label_formatter(&|value| self.x.text(*value))
            .y_label_formatter(&|value| self.y.text(*value))
            .draw()?;
        for (series, colour) in self.series.iter().zip(SERIES_COLOURS) {
            self.draw_line(&mut chart, &series.points, colour)?;
        }
        area.present()?;
        Ok(())
    }

    fn draw_line(
        &self,
        chart: &mut Plane<'_, '_>,
        points: &[(f64, f64)],
        colour: RGBColor,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let placed: Vec<(f64, f64)> = points.iter().map(|(x, y)| (self.x.place(*x), self.y.place(*y))).collect();
        if placed.len() < FEW_POINTS {
            chart.draw_series(placed.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        }
        chart.draw_series(LineSeries::new(placed, ShapeStyle::from(&colour).stroke_width(2)))?;
        Ok(())
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Axis {
    /// Where a value is placed.
    fn place(self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Log => value.max(f64::MIN_POSITIVE).log10(),
            Scale::Percentile => (-(1.0 - value).log10()).min(MAX_NINES),
        }
    }

    /// The placed range of these values.
    fn range(self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        let positive = values.filter(|value| self.scale != Scale::Log || *value > 0.0);
        let placed = positive.map(|value| self.place(value));
        let (low, high) = placed.fold((f64::MAX, f64::MIN), |(low, high), it| (low.min(it), high.max(it)));
        match self.scale {
            Scale::Linear if high > 0.0 => (0.0, high * 1.05),
            Scale::Percentile if high > 0.0 => (0.0, high.ceil()),
            Scale::Log if high >= low => (low.floor(), high.ceil().max(low.floor() + 1.0)),
            Scale::Linear | Scale::Percentile | Scale::Log => (0.0, 1.0),
        }
    }

    /// The number of labels: on a logarithmic scale one per power of ten.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a few hundred powers of ten")]
    fn label_count(self, range: (f64, f64)) -> usize {
        match self.scale {
            Scale::Linear => 8,
            Scale::Log | Scale::Percentile => (range.1 - range.0) as usize + 1,
        }
    }

    /// The label of a placed value.
    fn text(self, placed: f64) -> String {
        match self.scale {
            Scale::Linear => short(placed),
            Scale::Log => short(10_f64.powf(placed)),
            Scale::Percentile => {
                let percent = format!("{:.3}", 100.0 * (1.0 - 10_f64.powf(-placed)));
                format!("{}%", percent.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

/// A number with thousands and millions abbreviated.
fn short(number: f64) -> String {
    let (scaled, unit) = match number.abs() {
        1e6.. => (number / 1e6, "M"),
        1e4.. => (number / 1e3, "k"),
        _ => (number, ""),
    };
    let decimals = if scaled == 0.0 || scaled.abs() >= 100.0 { 0 } else { 3 };
    let text = format!("{scaled:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// At most [`MAX_POINTS`] points: averages of consecutive ones.
#[expect(clippy::cast_precision_loss, reason = "numbers of points")]
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let each = points.len().div_ceil(MAX_POINTS).max(1);
    let mean =
        |chunk: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| chunk.iter().map(of).sum::<f64>() / chunk.len() as f64;
    points.chunks(each).map(|chunk| (mean(chunk, |point| point.0), mean(chunk, |point| point.1))).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn labels_are_short_and_percentiles_have_nines() {
        assert_eq!([0.0, 0.25, 120.0, 12_500.0, 3e6].map(short), ["0", "0.25", "120", "12.5k", "3M"]);
        let axis = Axis { label: "", scale: Scale::Percentile };
        assert_eq!([0.0, 1.0, 2.0, 3.0].map(|nines| axis.text(nines)), ["0%", "90%", "99%", "99.9%"]);
        assert_eq!(Axis { label: "", scale: Scale::Log }.text(-1.0), "0.1");
    }

    #[test]
    fn long_series_are_averaged() {
        let points: Vec<(f64, f64)> = (0..2_000).map(|place| (f64::from(place), f64::from(place % 5))).collect();
        let thin = thinned(&points);
        assert_eq!(thin.len(), 400);
        assert!(thin.iter().all(|(_, y)| (*y - 2.0).abs() < 1e-9));
        assert_eq!(thinned(&points[..3]), points[..3]);
        assert_eq!(thinned(&[]), []);
    }

    #[test]
    fn charts_without_values_are_empty() {
        assert!(Chart::latencies("none", [("reads", &Latencies::new())]).is_empty());
        let zeros = Series { name: "zeros", points: vec![(0.0, 0.0), (1.0, 0.0)] };
        assert!(Chart::over_time("zeros", "a second", [zeros.clone()]).is_empty());
        Chart::over_time("zeros", "a second", [zeros]).svg().unwrap();
    }

    #[test]
    fn one_latency_is_drawn_as_a_dot() {
        let mut latencies = Latencies::new();
        latencies.record(Duration::from_millis(3));
        let svg = Chart::latencies("one", [("reads", &latencies)]).svg().unwrap();
        assert!(svg.contains("<circle"), "{svg}");
    }
}
