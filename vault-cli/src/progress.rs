//! A progress bar, on a terminal only.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// A bar of bytes; silent where nobody watches.
pub fn bytes(out: Output, len: u64) -> ProgressBar {
    let bar = bar(out, len, "");
    let style = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}

/// A bar of `len` steps of `what`; silent where nobody watches.
pub fn bar(out: Output, len: u64, what: &'static str) -> ProgressBar {
    let watched = std::io::stderr().is_terminal() && !out.quiet && !out.json;
    let target = match watched {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(len), target);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}
