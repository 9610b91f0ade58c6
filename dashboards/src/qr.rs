//! QR codes as pictures: the modules of an address as one path.

use std::fmt::Write;

use qrcode::{Color, EcLevel, QrCode};

/// The white margin that readers need on each side, in modules.
const MARGIN: usize = 4;

/// The QR code of `address` as SVG, its margin included. A quarter of it may be dirty or torn (level Q). `label` says what it is for.
pub(crate) fn svg(address: &str, label: &str) -> Result<String, askama::Error> {
    let code = QrCode::with_error_correction_level(address, EcLevel::Q).map_err(askama::Error::custom)?;
    let (width, modules) = (code.width(), code.to_colors());
    let mut path = String::new();
    for (y, row) in modules.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|one, next| one == next) {
            if run[0] == Color::Dark {
                let length = run.len();
                let _ = write!(path, "M{} {}h{length}v1h-{length}z", x + MARGIN, y + MARGIN);
            }
            x += run.len();
        }
    }
    let side = width + 2 * MARGIN;
    let label = askama::filters::escape(label, askama::filters::Html)?;
    Ok(format!(
        r#"<svg class="qr" viewBox="0 0 {side} {side}" role="img" aria-label="{label}" shape-rendering="crispEdges"><path d="{path}"/></svg>"#
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dark_module_is_drawn_once_within_the_margin() {
        let address = "https://lobby.example.com/t/BX-202611-0042";
        let svg = svg(address, "<code>").unwrap();
        let code = QrCode::with_error_correction_level(address, EcLevel::Q).unwrap();
        let dark = code.to_colors().into_iter().filter(|color| *color == Color::Dark).count();
        let runs = svg.split('M').skip(1);
        let lengths =
            runs.map(|run| run.split_once('h').unwrap().1.split_once('v').unwrap().0.parse::<usize>().unwrap());
        assert_eq!(lengths.sum::<usize>(), dark);
        let side = code.width() + 8;
        assert!(svg.contains(&format!("viewBox=\"0 0 {side} {side}\"")) && svg.contains("d=\"M4 4h7v1h-7z"), "{svg}");
        assert!(!svg.contains("<code>"), "a label is text");
    }

    #[test]
    fn an_address_that_no_code_can_hold_is_an_error() {
        assert!(svg(&"a".repeat(4000), "").is_err());
    }
}
