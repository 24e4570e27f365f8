//! The table: figures with their spread, and what they are held against.

use std::time::Instant;

/// Repeated measurements of one thing.
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    pub fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    pub fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// These and those.
    #[allow(dead_code)] // only some of the benchmarks that share this file need it
    pub fn with(&self, others: &Self) -> Self {
        let mut all = Self(self.0.iter().chain(&others.0).copied().collect());
        all.0.sort_by(f64::total_cmp);
        all
    }

    /// Every measurement, each changed by `change`.
    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        let mut mapped = Self(self.0.iter().copied().map(change).collect());
        mapped.0.sort_by(f64::total_cmp);
        mapped
    }

    /// `median (min..max) unit`
    pub fn text(&self, unit: &str) -> String {
        let show = |value: f64| match value.abs() {
            v if v >= 100.0 => format!("{value:.0}"),
            v if v >= 10.0 => format!("{value:.1}"),
            _ => format!("{value:.2}"),
        };
        let (first, last) = (self.0.first(), self.0.last());
        match (first, last) {
            (Some(first), Some(last)) if self.0.len() > 1 => format!(
                "{} ({}..{}) {unit}",
                show(self.median()),
                show(*first),
                show(*last)
            ),
            _ => format!("{} {unit}", show(self.median())),
        }
    }

    /// Seconds as milliseconds.
    pub fn ms(&self) -> String {
        self.map(|s| s * 1e3).text("ms")
    }

    /// Seconds as a rate in MiB/s for `bytes` of work.
    pub fn rate(&self, bytes: u64) -> String {
        let mib = bytes as f64 / f64::from(1 << 20);
        self.map(|s| mib / s).text("MiB/s")
    }
}

/// Runs `work` and adds how long it took, in seconds, to `samples`.
pub fn timed<T>(samples: &mut Samples, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    samples.push(begun.elapsed().as_secs_f64());
    done
}

/// One line of the table.
pub struct Row {
    pub what: String,
    pub figure: String,
    pub yardstick: String,
    pub ratio: Option<f64>,
    pub goal: String,
    /// `None` when there is no goal, or nothing to hold it against.
    pub met: Option<bool>,
}

/// Prints rows as they come.
pub struct Table {
    json: bool,
    missed: usize,
}

impl Table {
    pub fn new(json: bool) -> Self {
        if !json {
            println!("what | median (min..max) | yardstick | ratio | goal | met");
            println!("---|---|---|---|---|---");
        }
        Self { json, missed: 0 }
    }

    pub fn row(&mut self, row: Row) {
        self.missed += usize::from(row.met == Some(false));
        if self.json {
            let line = serde_json::json!({
                "what": row.what, "figure": row.figure, "yardstick": row.yardstick,
                "ratio": row.ratio, "goal": row.goal, "met": row.met,
            });
            println!("{line}");
            return;
        }
        let ratio = row.ratio.map_or("-".to_owned(), |r| format!("{r:.2}"));
        let met = match row.met {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "-",
        };
        println!(
            "{} | {} | {} | {ratio} | {} | {met}",
            row.what, row.figure, row.yardstick, row.goal
        );
    }

    /// A line that is no figure.
    pub fn note(&self, text: &str) {
        if self.json {
            println!("{}", serde_json::json!({ "note": text }));
        } else {
            println!("  ({text})");
        }
    }

    pub fn finish(self) {
        self.note(&format!("goals missed: {}", self.missed));
    }
}
