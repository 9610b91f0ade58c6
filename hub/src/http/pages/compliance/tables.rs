//! A month as tables.

use axum::{extract::State, response::Response};
use lobby_dashboards::{AvailabilityLine, KeptLine};
use lobby_domain::compliance::Instance;

use super::{
    super::{App, Open, PageError, Path, Reader, Scene, month::table},
    clauses, devices, owed_line, posts, read,
};
use crate::{
    compliance::MonthOfSite,
    export::{Cell, Sheet},
};

/// A minute.
const MINUTE: i64 = 60_000;

/// A month as tables.
pub(in crate::http::pages) async fn tables(
    State(app): State<App>,
    reader: Reader,
    Path((month, format)): Path<(String, String)>,
) -> Response {
    let sheets = async {
        let Ok(of) = read(&app, &reader, Some(&month)).await? else { return Err(PageError::NotFound) };
        let open = Open::default();
        Scene::with(&app, &reader, Some(of.site.clone()), &open, |scene| Ok(sheets(scene, &of)))
    };
    table(&app, &reader, sheets.await, &format!("compliance-{month}"), &format)
}

fn sheets(scene: &Scene<'_>, of: &MonthOfSite) -> Vec<Sheet> {
    let c = scene.reader.lang.compliance_texts();
    let head = |first: &[&str], rest: &[&str]| first.iter().chain(rest).map(ToString::to_string).collect();
    let counts = [c.share, c.last_month, c.met, c.late, c.missed, c.excused, c.open];
    let kept = |line: KeptLine| {
        let tally = line.tally;
        let numbers = [tally.met, tally.late, tally.missed, tally.excused, tally.open];
        let words = [line.id, line.name, c.share(&tally), c.share(&line.before)].map(Cell::Text);
        words.into_iter().chain(numbers.map(|number| Cell::Whole(number.into()))).collect()
    };
    let device = |line: AvailabilityLine| {
        let parts = line.parts().map(Cell::Text);
        let minutes = Cell::Whole(line.availability.maintenance / MINUTE);
        std::iter::once(Cell::Text(line.name)).chain(parts).chain([minutes]).collect()
    };
    let owed = |instance: &Instance| {
        let line = owed_line(scene, of, instance);
        let done = line.done.map_or_else(String::new, |done| done.full);
        let clauses = instance.clauses.join(" ");
        let kept = c.kept(line.kept);
        let words = [clauses, c.duty(line.duty).to_owned(), line.title, line.post, line.due.full, done, line.by, kept];
        words.into_iter().map(Cell::Text).chain([Cell::Text(line.href)]).collect()
    };
    vec![
        Sheet {
            name: c.by_clause.to_owned(),
            head: head(&[c.clause, ""], &counts),
            lines: clauses(scene, of).into_iter().map(kept).collect(),
        },
        Sheet {
            name: c.by_post.to_owned(),
            head: head(&["", c.post], &counts),
            lines: posts(scene, of).into_iter().map(kept).collect(),
        },
        Sheet {
            name: c.devices.to_owned(),
            head: head(&[c.device], &[c.good, c.bad, c.unknown, c.maintenance_minutes]),
            lines: devices(scene, of).into_iter().map(device).collect(),
        },
        Sheet {
            name: c.instances.to_owned(),
            head: head(&[c.clause, "", c.instances, c.post, c.due, c.done], &["", c.share, c.its_page]),
            lines: of.owed.iter().map(owed).collect(),
        },
    ]
}
