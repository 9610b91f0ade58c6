//! Everything asked once, for the person who installs it.

use std::fmt::Write;

use futures_util::future::join_all;
use lobby_contract::{FactValue, Reach};
use serde::Serialize;
use tokio::time::Instant;
use unicode_width::UnicodeWidthStr;

use crate::{
    config::Device,
    probe::Probe,
    runner::{Outcome, ask},
};

/// What asking one device gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// The device.
    pub device: Box<str>,
    /// Its kind.
    pub kind: Box<str>,
    /// Whether it answered.
    pub reach: Reach,
    /// How long that took, in ms.
    pub ms: u64,
    /// What would be reported.
    pub facts: std::collections::BTreeMap<Box<str>, FactValue>,
    /// Its own fault codes.
    pub faults: Vec<Box<str>>,
    /// Why there is no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Asks all `devices` once, all at the same time, each within its timeout.
pub async fn check(devices: &[Device]) -> Vec<Checked> {
    join_all(devices.iter().map(check_one)).await
}

async fn check_one(device: &Device) -> Checked {
    let started = Instant::now();
    let outcome = match Probe::new(device.probe.clone()) {
        Ok(mut probe) => ask(&mut probe, device).await,
        Err(error) => Outcome { reading: crate::report::only(Reach::Unknown), cause: Some(error.to_string()) },
    };
    Checked {
        device: device.id.as_str().into(),
        kind: device.kind.clone(),
        reach: outcome.reading.reach,
        ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        facts: outcome.reading.facts,
        faults: outcome.reading.faults,
        error: outcome.cause,
    }
}

/// The results as a table whose columns are aligned, also where they hold Chinese.
pub fn table(checked: &[Checked]) -> String {
    let mut rows = vec![["DEVICE", "KIND", "REACH", "MS", "FACTS", "FAULTS"].map(String::from)];
    rows.extend(checked.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let padding = widths[column] - cell.width();
            let _ = write!(line, "{cell}{:padding$}  ", "");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(checked: &Checked) -> [String; 6] {
    let reach = match checked.reach {
        Reach::Ok => "ok",
        Reach::Unreachable => "unreachable",
        Reach::Unknown => "unknown",
    };
    let facts: Vec<String> = checked.facts.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let faults = match &checked.error {
        Some(error) => error.clone(),
        None if checked.faults.is_empty() => "-".into(),
        None => checked.faults.join(" "),
    };
    let one_line = |text: String| text.replace(char::is_control, " ");
    [
        checked.device.clone().into(),
        one_line(checked.kind.clone().into()),
        reach.into(),
        checked.ms.to_string(),
        one_line(if facts.is_empty() { "-".into() } else { facts.join(" ") }),
        one_line(faults),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_where_characters_are_wide() {
        let checked = |kind: &str, input: &str, error: Option<&str>| Checked {
            device: "tv".into(),
            kind: kind.into(),
            reach: if error.is_some() { Reach::Unreachable } else { Reach::Ok },
            ms: 12,
            facts: [("input".into(), FactValue::from(input))].into(),
            faults: Vec::new(),
            error: error.map(Into::into),
        };
        let text = table(&[checked("电视", "信号一", None), checked("tv", "HDMI1", Some("no\nanswer"))]);
        let expected = "\
DEVICE  KIND  REACH        MS  FACTS         FAULTS
tv      电视  ok           12  input=信号一  -
tv      tv    unreachable  12  input=HDMI1   no answer
";
        assert_eq!(text, expected);
    }
}
