//! What was used of an item in a month, and who has agreed to it.

use axum::{extract::State, response::Response};
use lobby_dashboards::{CountDifference, DayOfMonth, MachineMonth, Page, PlaceMonth, StatementPage, StatementSheet};
use lobby_domain::{
    access::Need,
    alert::Subject,
    statement::{Difference, MachineLine, PlaceLine, Statement},
    stock::Place,
};

use super::{
    About, App, Asked, Html, Open, PRINT, PageError, Path, Reader, Scene,
    act::noticed,
    answer::{answer, refuse, see},
    asked, head,
    stock::{known, place},
    table, words, yuan,
};
use crate::{
    export::{Cell, Sheet},
    http::{
        address::Origin,
        api::stock::{AgreeError, agree_to_statement},
    },
    stock::month::ItemMonth,
};

fn machine_name(scene: &Scene<'_>, asked: &Asked, line: &MachineLine) -> String {
    scene.subject(&asked.site, &Subject::Device(line.machine.clone())).name
}

fn place_name(scene: &Scene<'_>, asked: &Asked, of: &Place) -> String {
    let named = asked.of.levels.hand_out.clone().filter(|_| *of == Place::Counter);
    named.unwrap_or_else(|| place(scene, &asked.site, None, of))
}

/// What was used in a month.
pub(in crate::http::pages) async fn statement(
    State(app): State<App>,
    reader: Reader,
    Path(month): Path<String>,
) -> Response {
    answer(&app, &reader, statement_page(&app, &reader, &month)).await
}

async fn statement_page(app: &App, reader: &Reader, month: &str) -> Result<String, PageError> {
    let asked = match asked(app, reader, About::Statement, month)? {
        Ok(asked) => asked,
        Err(page) => return Ok(page),
    };
    made(app, reader, &asked, |_, page| page).await?.html(reader.fragment)
}

/// The page, or what is made of it.
async fn made<T>(
    app: &App,
    reader: &Reader,
    asked: &Asked,
    then: impl FnOnce(&Scene<'_>, StatementPage) -> T,
) -> Result<T, PageError> {
    let statement = read_statement(app, asked).await?;
    let agreed = app.store.closed_statement(&asked.site, &asked.item, asked.month).await?;
    let open = Open::default();
    Scene::with(app, reader, Some(asked.site.clone()), &open, |scene| {
        let is_over = asked.month < asked.present(scene.now);
        let page = StatementPage {
            chrome: scene.chrome(Page::Stock),
            of: head(scene, asked, About::Statement),
            is_over,
            used: statement.used(),
            lost: statement.lost(),
            cost: statement.cost(statement.used()).map(yuan),
            machines: statement.machines.iter().map(|line| machine(machine_name(scene, asked, line), line)).collect(),
            days: days(&statement),
            places: statement.places.iter().map(|line| of_place(place_name(scene, asked, &line.place), line)).collect(),
            differences: differences(scene, asked, &statement),
            agree: (is_over && agreed.is_none() && reader.caller.at(&asked.site).may(Need::Stock))
                .then(|| format!("/stock/statement/{}/{}/{}", asked.site, asked.item, asked.month)),
            agreed: agreed.as_ref().map(|(who, at)| (who.clone(), scene.when(*at))),
        };
        Ok(then(scene, page))
    })
}

async fn read_statement(app: &App, asked: &Asked) -> Result<Statement, PageError> {
    let (site, now) = ((&asked.site, asked.item.as_str()), app.clock.now());
    Ok(asked.of.statement(&app.store, &app.fleet, site, asked.month, now).await?)
}

fn machine(name: String, line: &MachineLine) -> MachineMonth {
    MachineMonth {
        name,
        dispensed: line.dispensed,
        held: line.held,
        unsure: line.unsure,
        jams: line.jams,
        jams_per_thousand: line.jams_per_thousand(),
    }
}

fn days(statement: &Statement) -> Vec<DayOfMonth> {
    let day = |(number, (date, by_hand)): (usize, (jiff::civil::Date, &i64))| {
        let machines: Vec<i64> = statement.machines.iter().map(|machine| machine.days[number]).collect();
        let used = machines.iter().sum::<i64>() + by_hand;
        DayOfMonth { day: date.strftime("%m-%d").to_string(), machines, by_hand: *by_hand, used }
    };
    statement.days().zip(&statement.by_hand).enumerate().map(day).collect()
}

/// The columns of a place, in their order.
fn changes(line: &PlaceLine) -> [i64; 7] {
    let PlaceLine { received, refilled, dispensed, handed_out, wasted, moved, difference, .. } = *line;
    [received, refilled, dispensed, handed_out, wasted, moved, difference]
}

fn of_place(name: String, line: &PlaceLine) -> PlaceMonth {
    PlaceMonth { name, began: line.began, changes: changes(line), ended: line.ended }
}

fn differences(scene: &Scene<'_>, asked: &Asked, statement: &Statement) -> Vec<CountDifference> {
    let difference = |found: &Difference| CountDifference {
        at: scene.when(found.at),
        place: place_name(scene, asked, &found.place),
        booked: found.booked,
        counted: found.counted,
        reason: found.reason.to_string(),
        who: found.who.to_string(),
    };
    statement.differences.iter().map(difference).collect()
}

/// Agrees to a statement (SHO-D4: the use is checked against the books). Of a month that is not over there is nothing to agree to.
pub(in crate::http::pages) async fn agree(
    State(app): State<App>,
    reader: Reader,
    Path((site, item, month)): Path<(String, String, String)>,
) -> Response {
    match agreed(&app, &reader, (&site, item, &month)).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn agreed(app: &App, reader: &Reader, (site, item, month): (&str, String, &str)) -> Result<String, PageError> {
    let site = known(app, reader, site)?;
    let month = month.parse().map_err(|_| PageError::NotFound)?;
    let of = ItemMonth::of(&app.fleet, &site, &item, app.clock.now()).ok_or(PageError::NotFound)?;
    let place = About::Statement.address(month, &site, &item);
    match agree_to_statement(app, &reader.caller, (&site, &item, month), &of, String::new()).await {
        Ok(()) => Ok(noticed(&place, "saved")),
        Err(AgreeError::NotOver) => Ok(noticed(&place, "step")),
        Err(AgreeError::Name) => Err(PageError::BadRequest),
        Err(AgreeError::Store(error)) => Err(error.into()),
    }
}

/// The statement as a table, or on paper.
pub(in crate::http::pages) async fn statement_table(
    State(app): State<App>,
    reader: Reader,
    origin: Origin,
    Path((month, format)): Path<(String, String)>,
) -> Response {
    if format == PRINT {
        return answer(&app, &reader, printed(&app, &reader, &origin, &month)).await;
    }
    let sheets = async {
        let Ok(asked) = asked(&app, &reader, About::Statement, &month)? else { return Err(PageError::NotFound) };
        let statement = read_statement(&app, &asked).await?;
        let open = Open::default();
        Scene::with(&app, &reader, Some(asked.site.clone()), &open, |scene| {
            Ok(statement_sheets(scene, &asked, &statement))
        })
    };
    table(&app, &reader, sheets.await, &format!("statement-{month}"), &format)
}

async fn printed(app: &App, reader: &Reader, origin: &Origin, month: &str) -> Result<String, PageError> {
    let Ok(asked) = asked(app, reader, About::Statement, month)? else { return Err(PageError::NotFound) };
    let back = About::Statement.address(asked.month, &asked.site, &asked.item);
    let paper = made(app, reader, &asked, |scene, page| StatementSheet {
        // No code stands on it.
        sheet: lobby_dashboards::Sheet { only_here: false, ..origin.sheet(scene, back) },
        site: scene.name_of(&asked.site),
        page,
    });
    paper.await?.render().map_err(|error| PageError::Render(Box::new(error)))
}

fn statement_sheets(scene: &Scene<'_>, asked: &Asked, statement: &Statement) -> Vec<Sheet> {
    let m = scene.reader.lang.month_texts();
    let names: Vec<String> = statement.machines.iter().map(|line| machine_name(scene, asked, line)).collect();
    let mut by_day = vec![m.day.to_owned()];
    by_day.extend(names.iter().cloned());
    by_day.extend(words(&[m.by_hand, m.total]));
    let day = |day: DayOfMonth| {
        let numbers = day.machines.into_iter().chain([day.by_hand, day.used]).map(Cell::Whole);
        std::iter::once(Cell::Text(format!("{}-{}", asked.month.first().year(), day.day))).chain(numbers).collect()
    };
    let machine = |(name, line): (&String, &MachineLine)| {
        let rate = line.jams_per_thousand().map_or_else(|| Cell::from(""), Cell::Number);
        vec![name.as_str().into(), line.dispensed.into(), i64::from(line.jams).into(), rate]
    };
    let of_place = |line: &PlaceLine| {
        let numbers = std::iter::once(line.began).chain(changes(line)).chain([line.ended]).map(Cell::Whole);
        std::iter::once(place_name(scene, asked, &line.place).into()).chain(numbers).collect()
    };
    let columns = [m.received, m.refilled, m.counter, m.by_hand, m.wasted, m.moved, m.difference, m.ended];
    let found = |found: CountDifference| {
        let (booked, counted) = (found.booked.into(), found.counted.into());
        vec![found.at.full.into(), found.place.into(), booked, counted, found.reason.into(), found.who.into()]
    };
    vec![
        Sheet { name: m.days.to_owned(), head: by_day, lines: days(statement).into_iter().map(day).collect() },
        Sheet {
            name: m.machines.to_owned(),
            head: words(&[m.machine, m.dispensed, m.jams, m.jams_rate]),
            lines: names.iter().zip(&statement.machines).map(machine).collect(),
        },
        Sheet {
            name: m.places.to_owned(),
            head: words(&[&[m.place, m.began][..], &columns].concat()),
            lines: statement.places.iter().map(of_place).collect(),
        },
        Sheet {
            name: m.differences.to_owned(),
            head: words(&[m.day, m.place, m.by_books, m.by_count, m.act_reason, m.by_whom]),
            lines: differences(scene, asked, statement).into_iter().map(found).collect(),
        },
    ]
}
