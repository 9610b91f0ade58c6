//! The static files, and the addresses that change with their contents, so that browsers may keep them for ever.

/// The stylesheet.
pub const STYLES: &str = include_str!("../static/lobby.css");
/// The stylesheet of what is printed.
pub const PRINT_STYLES: &str = include_str!("../static/print.css");
/// The script, an ES module.
pub const SCRIPT: &str = include_str!("../static/live.js");
/// What the script fetches where a form keeps what cannot be sent, an ES module.
pub const KEPT_SCRIPT: &str = include_str!("../static/kept.js");
/// The icon, an SVG image.
pub const FAVICON: &str = include_str!("../static/favicon.svg");

const DIGITS: [u8; 16] =
    digits(fnv(fnv(fnv(fnv(fnv(0xcbf2_9ce4_8422_2325, STYLES), PRINT_STYLES), SCRIPT), KEPT_SCRIPT), FAVICON));

/// Sixteen hexadecimal digits that change when any static file does; the static files live under `/static/{VERSION}/`.
pub const VERSION: &str = match std::str::from_utf8(&DIGITS) {
    Ok(text) => text,
    Err(_) => panic!("hexadecimal digits are UTF-8"),
};

/// Where the pages look for [`STYLES`]: the name after `/static/{VERSION}/`.
pub const STYLES_PATH: &str = "lobby.css";
/// Where the sheets look for [`PRINT_STYLES`]: the name after `/static/{VERSION}/`.
pub const PRINT_STYLES_PATH: &str = "print.css";
/// Where the pages look for [`SCRIPT`]: the name after `/static/{VERSION}/`.
pub const SCRIPT_PATH: &str = "live.js";
/// Where [`SCRIPT`] looks for [`KEPT_SCRIPT`]: beside itself.
pub const KEPT_SCRIPT_PATH: &str = "kept.js";
/// Where the pages look for [`FAVICON`]: the name after `/static/{VERSION}/`.
pub const FAVICON_PATH: &str = "favicon.svg";

/// Where the browser finds the static file `name`.
pub(crate) fn address(name: &str) -> String {
    format!("/static/{VERSION}/{name}")
}

/// FNV-1a: it only has to notice a change, and can run while compiling.
const fn fnv(mut hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(0x0100_0000_01b3);
        index += 1;
    }
    hash
}

const fn digits(hash: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    let mut index = 0;
    while index < 16 {
        digits[index] = b"0123456789abcdef"[(hash >> (60 - 4 * index) & 15) as usize];
        index += 1;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_changes_with_any_byte() {
        assert_eq!(VERSION.len(), 16);
        assert_eq!(fnv(0xcbf2_9ce4_8422_2325, "foobar"), 0x8594_4171_f739_67e8);
        assert_ne!(digits(fnv(1, "a")), digits(fnv(1, "b")));
    }

    #[test]
    fn the_static_files_stay_small() {
        assert!(STYLES.len() <= 28 * 1024, "{} bytes of styles", STYLES.len());
        assert!(PRINT_STYLES.len() <= 12 * 1024, "{} bytes of styles for paper", PRINT_STYLES.len());
        assert!(SCRIPT.len() <= 10 * 1024, "{} bytes of script", SCRIPT.len());
        assert!(KEPT_SCRIPT.len() <= 8 * 1024, "{} bytes of script for forms that keep", KEPT_SCRIPT.len());
    }

    #[test]
    fn the_static_files_name_no_other_origin() {
        for text in [STYLES, PRINT_STYLES, SCRIPT, KEPT_SCRIPT, &FAVICON.replace("http://www.w3.org/2000/svg", "")] {
            assert!(!text.contains("//cdn") && !text.contains("http:") && !text.contains("https:"));
        }
    }
}
