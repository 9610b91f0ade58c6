//! Writes every page with sample data into a folder, to be looked at in a browser:
//! `cargo run -p lobby-dashboards --example gallery -- /tmp/gallery`, then serve that folder on any port.

use std::{env, fs, io, path::PathBuf};

use lobby_dashboards::{
    FAVICON, FAVICON_PATH, KEPT_SCRIPT, KEPT_SCRIPT_PATH, Lang, PRINT_STYLES, PRINT_STYLES_PATH, SCRIPT, SCRIPT_PATH,
    STYLES, STYLES_PATH, VERSION,
};

#[path = "../samples/samples.rs"]
mod samples;

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or_else(|| io::Error::other("name the folder to write to"))?);
    let assets = folder.join("static").join(VERSION);
    fs::create_dir_all(&assets)?;
    for (name, text) in [
        (STYLES_PATH, STYLES),
        (PRINT_STYLES_PATH, PRINT_STYLES),
        (SCRIPT_PATH, SCRIPT),
        (KEPT_SCRIPT_PATH, KEPT_SCRIPT),
        (FAVICON_PATH, FAVICON),
    ] {
        fs::write(assets.join(name), text)?;
    }
    let mut index = String::from("<!doctype html><meta charset=\"utf-8\"><title>Gallery</title>");
    for lang in [Lang::Zh, Lang::En] {
        for sample in samples::all(lang) {
            let file = format!("{}-{}.html", sample.name, lang.name());
            let sizes = format!("{} bytes, main {}", sample.page.len(), sample.main.len());
            index.extend(["<p><a href=\"", &file, "\">", &file, "</a> ", &sizes]);
            fs::write(folder.join(file), sample.page)?;
        }
        for (name, page) in samples::sheets(lang) {
            let file = format!("{name}-{}.html", lang.name());
            index.extend(["<p><a href=\"", &file, "\">", &file, "</a>"]);
            fs::write(folder.join(file), page)?;
        }
    }
    fs::write(folder.join("index.html"), index)
}
