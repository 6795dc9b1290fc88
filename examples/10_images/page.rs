//! A page of what a network looks for first, and of what it confuses.

use std::fmt::Write;

use evenkeel::prelude::*;

/// The filters of the first layer, how often each class is taken for each other, and the images of the most frequent confusions.
pub fn page(model: &Sequential, (x, y): &(Tensor, Tensor<i64>), predicted: &Tensor<i64>, classes: &[String]) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=en><meta charset=utf-8><title>What the network sees</title>\
         <style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}\
         table{border-collapse:collapse}td,th{padding:.2rem .6rem;text-align:right}th{font-weight:600;color:#555}\
         figure{display:inline-block;margin:.4rem;text-align:center;color:#555;font-size:.85rem}svg{display:block;shape-rendering:crispEdges}\
         </style>",
    );
    let filters =
        model.parameters().into_iter().map(|(_, param)| param.value().clone()).find(|weight| weight.rank() == 4);
    if let Some(filters) = filters {
        let _ = write!(
            page,
            "<h1>First filters</h1><p>{} of the first layer: dark takes away, light adds.</p>",
            filters.size(0)
        );
        let most = filters.abs().max(..).item().max(f32::MIN_POSITIVE);
        for filter in filters.axis_iter(0) {
            let _ = write!(page, "<figure>{}</figure>", picture(&(filter / (2.0 * most) + 0.5), 12));
        }
    }
    let count = classes.len();
    let mut table = vec![vec![0; count]; count];
    y.iter().zip(predicted.iter()).for_each(|(is, taken)| table[is as usize][taken as usize] += 1);
    let right: usize = (0..count).map(|class| table[class][class]).sum();
    let _ = write!(
        page,
        "<h1>What it confuses</h1><p>{right} of {} held-out images are right. A row is what an image is, a column what it was taken for.</p>\
         <table><tr><th></th>",
        y.numel()
    );
    classes.iter().for_each(|class| _ = write!(page, "<th>{class}</th>"));
    for (is, row) in table.iter().enumerate() {
        let _ = write!(page, "</tr><tr><th>{}</th>", classes[is]);
        let all: usize = row.iter().sum();
        for (taken, &times) in row.iter().enumerate() {
            let share = times as f64 / all.max(1) as f64;
            let color = if is == taken { "46,125,50" } else { "198,40,40" };
            let shown = if times == 0 { String::new() } else { times.to_string() };
            let depth = if is == taken { 0.3 * share } else { (6.0 * share).min(0.9) };
            let _ = write!(page, "<td style=\"background:rgba({color},{depth:.2})\">{shown}</td>");
        }
    }
    page += "</tr></table><h1>Some that are wrong</h1>";
    let wrong = (0..y.numel()).filter(|&i| y.get(&[i]) != predicted.get(&[i])).take(24);
    let [least, most] = [x.min(..).item(), x.max(..).item()];
    for i in wrong {
        let class = |of: &Tensor<i64>| &classes[of.get(&[i]).map_or(0, |class| class as usize)];
        let image = (x.select(0, i as isize) - least) / (most - least).max(f32::MIN_POSITIVE);
        let _ = write!(page, "<figure>{}{} taken for {}</figure>", picture(&image, 3), class(y), class(predicted));
    }
    page
}

/// An image `[channels, h, w]` of shares of white: gray, or the first three channels as red, green and blue.
fn picture(image: &Tensor, scale: usize) -> String {
    let [h, w] = [image.size(1), image.size(2)];
    let mut svg = format!("<svg width={} height={} viewBox=\"0 0 {w} {h}\" role=img>", w * scale, h * scale);
    for y in 0..h {
        for x in 0..w {
            let byte = |channel: usize| {
                let channel = if image.size(0) < 3 { 0 } else { channel };
                (image.get(&[channel, y, x]).unwrap_or(0.0).clamp(0.0, 1.0) * 255.0) as u8
            };
            let _ = write!(
                svg,
                "<rect x={x} y={y} width=1 height=1 fill=\"#{:02x}{:02x}{:02x}\"/>",
                byte(0),
                byte(1),
                byte(2)
            );
        }
    }
    svg + "</svg>"
}
