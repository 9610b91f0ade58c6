//! A table of items: looked at first, each mistake with its line and column; then all of it is taken over, or nothing.

use std::collections::BTreeMap;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use lobby_contract::SiteId;
use lobby_dashboards::{ImportLine, Lang, Page, RegisterImportPage, TableMistake};
use lobby_domain::register::{AssetNumber, Field, Item, Mistake, State as ItemState};
use uuid::Uuid;

use super::{Doer, is_device, known, one, typed};
use crate::{
    http::pages::{
        App, Html, Open, PageError, Path, Reader, Scene,
        act::noticed,
        answer::{answer, document, refuse, see},
    },
    new_code,
    store::{Imported, ItemRow},
};

/// The most lines of a table.
const MOST: usize = 2000;

/// What a column holds.
#[derive(Clone, Copy, PartialEq)]
enum Column {
    Number,
    Of(Field),
    /// Nothing that is taken over.
    Other,
}

/// Why a table cannot be taken over, in both languages.
enum Wrong {
    Field(Mistake),
    Number(String),
    Unknown(AssetNumber),
    Twice(AssetNumber),
    NoColumn,
    Gone,
    Csv(String),
    TooMany,
}

impl Wrong {
    fn words(&self, lang: Lang) -> String {
        let words = lang.register_texts();
        let fill = |text: &str, with: &str| text.replace("{}", with);
        match self {
            Self::Field(mistake) => words.mistake(mistake),
            Self::Number(text) => fill(words.wrong_number, text),
            Self::Unknown(number) => fill(words.wrong_unknown, &number.to_string()),
            Self::Twice(number) => fill(words.wrong_twice, &number.to_string()),
            Self::NoColumn => words.wrong_head.to_owned(),
            Self::Gone => words.wrong_gone.to_owned(),
            Self::Csv(text) => fill(words.wrong_csv, text),
            Self::TooMany => fill(words.wrong_many, &MOST.to_string()),
        }
    }
}

/// A mistake of a table: its line and column, from 1.
struct At {
    line: usize,
    column: usize,
    what: Wrong,
}

/// What a column is called: as in a program, or as either language has it.
fn column(name: &str) -> Column {
    let words = [Lang::Zh, Lang::En].map(Lang::register_texts);
    let is = |own: &str, of: fn(&lobby_dashboards::RegisterTexts) -> &'static str| {
        name == own || words.iter().any(|words| name == of(words))
    };
    if is("number", |words| words.number) {
        return Column::Number;
    }
    let field = Field::ALL
        .into_iter()
        .find(|field| name == field.as_str() || words.iter().any(|words| name == words.field(*field)));
    field.map_or(Column::Other, Column::Of)
}

/// A cell as it was meant: without the mark that keeps a spreadsheet from running it, and a state by its name.
fn meant(field: Field, text: &str) -> String {
    let text = text.trim();
    let text = text.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@'])).unwrap_or(text);
    if field == Field::State {
        let words = [Lang::Zh, Lang::En].map(Lang::register_texts);
        let named = |state: &ItemState| words.iter().any(|words| text == words.state(*state));
        if let Some(state) = ItemState::ALL.into_iter().find(named) {
            return state.as_str().to_owned();
        }
    }
    text.to_owned()
}

/// What a table says, line by line, or everything that is wrong with it.
fn read(text: &str, rows: &[ItemRow], is_device: impl Fn(&Item) -> bool) -> Result<Vec<Imported>, Vec<At>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let known: BTreeMap<AssetNumber, &ItemRow> = rows.iter().map(|row| (row.number, row)).collect();
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text.as_bytes());
    let (mut head, mut wanted, mut wrong): (Vec<Column>, Vec<Imported>, Vec<At>) = Default::default();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(1, csv::Position::line);
                let line = usize::try_from(line).unwrap_or(usize::MAX);
                wrong.push(At { line, column: 1, what: Wrong::Csv(error.to_string()) });
                break;
            }
        };
        let line = record.position().map_or(1, csv::Position::line);
        let line = usize::try_from(line).unwrap_or(usize::MAX);
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if head.is_empty() {
            head = record.iter().map(|cell| column(cell.trim())).collect();
            // An exported table has its name above it.
            if !head.contains(&Column::Of(Field::Name)) {
                head.clear();
                if record.len() > 1 {
                    return Err(vec![At { line, column: 1, what: Wrong::NoColumn }]);
                }
            }
            continue;
        }
        if wanted.len() >= MOST {
            wrong.push(At { line, column: 1, what: Wrong::TooMany });
            break;
        }
        match of_line(&head, &record, &known, &is_device) {
            Ok(item) => match item.number.filter(|number| wanted.iter().any(|other| other.number == Some(*number))) {
                Some(number) => wrong.push(At { line, column: 1, what: Wrong::Twice(number) }),
                None => wanted.push(item),
            },
            Err((column, what)) => wrong.push(At { line, column: column + 1, what }),
        }
    }
    if head.is_empty() && wrong.is_empty() {
        wrong.push(At { line: 1, column: 1, what: Wrong::NoColumn });
    }
    if wrong.is_empty() { Ok(wanted) } else { Err(wrong) }
}

/// One line of a table. What it has no column for stays as it is.
fn of_line(
    head: &[Column],
    record: &csv::StringRecord,
    known: &BTreeMap<AssetNumber, &ItemRow>,
    is_device: impl Fn(&Item) -> bool,
) -> Result<Imported, (usize, Wrong)> {
    let place = |column: Column| head.iter().position(|other| *other == column);
    let cell = |at: Option<usize>| at.and_then(|at| record.get(at)).map(str::trim).unwrap_or_default();
    let at = place(Column::Number);
    let number = match cell(at) {
        "" => None,
        text => {
            let wrong = |_| (at.unwrap_or_default(), Wrong::Number(text.chars().take(40).collect()));
            Some(text.parse::<AssetNumber>().map_err(wrong)?)
        }
    };
    let before = match number {
        Some(number) => match known.get(&number) {
            Some(row) => Some(&row.item),
            None => return Err((at.unwrap_or_default(), Wrong::Unknown(number))),
        },
        None => None,
    };
    let texts: BTreeMap<Field, String> = Field::ALL
        .into_iter()
        .map(|field| match place(Column::Of(field)) {
            Some(at) => (field, meant(field, record.get(at).unwrap_or_default())),
            None => (field, before.map(|item| item.get(field).to_owned()).unwrap_or_default()),
        })
        .collect();
    let item = Item::read(|field| texts.get(&field).map(String::as_str));
    let item =
        item.map_err(|(field, mistake)| (place(Column::Of(field)).unwrap_or_default(), Wrong::Field(mistake)))?;
    let state = place(Column::Of(Field::State)).unwrap_or_default();
    match before {
        None if !ItemState::CHOSEN.contains(&item.state()) => {
            return Err((state, Wrong::Field(Mistake::State)));
        }
        Some(before) if before.changes(&item).is_empty() => {}
        Some(before) if before.edit(&item, "x").is_err() => return Err((state, Wrong::Gone)),
        _ => {}
    }
    let device = place(Column::Of(Field::Device));
    if device.is_some() && !is_device(&item) {
        return Err((device.unwrap_or_default(), Wrong::Field(Mistake::Device)));
    }
    Ok(Imported { number, item })
}

/// The form.
pub(super) async fn show(State(app): State<App>, reader: Reader, Path(site): Path<String>) -> Response {
    let page = async {
        let site = known(&app, &reader, &site)?;
        page(&app, &reader, &site, (String::new(), Vec::new(), None))
    };
    answer(&app, &reader, page).await
}

type Shown = (String, Vec<At>, Option<Vec<ImportLine>>);

fn page(app: &App, reader: &Reader, site: &SiteId, (table, wrong, preview): Shown) -> Result<String, PageError> {
    let open = Open::default();
    let page = Scene::with(app, reader, Some(site.clone()), &open, |scene| {
        let mut chrome = scene.chrome(Page::Register);
        chrome.live = false;
        let mistake =
            |at: &At| TableMistake { line: at.line, column: at.column, what: at.what.words(scene.reader.lang) };
        Ok(RegisterImportPage {
            action: format!("/register/{site}/import"),
            table,
            mistakes: wrong.iter().map(mistake).collect(),
            preview,
            chrome,
        })
    })?;
    page.html(reader.fragment)
}

/// Shows what a table would change, or takes it over.
pub(super) async fn send(
    State(app): State<App>,
    reader: Reader,
    Path(site): Path<String>,
    request: Request,
) -> Response {
    sent(&app, &reader, &site, request).await.unwrap_or_else(|error| refuse(&app, &reader, error))
}

async fn sent(app: &App, reader: &Reader, site: &str, request: Request) -> Result<Response, PageError> {
    let fields = typed(app, request).await?;
    let doer = Doer::of(app, reader, site, &fields)?;
    let table = one(&fields, "table").to_owned();
    let rows = app.store.register(&doer.site).await?;
    let wanted = match read(&table, &rows, |item| is_device(app, &doer.site, item)) {
        Ok(wanted) => wanted,
        Err(wrong) => {
            let html = page(app, reader, &doer.site, (table, wrong, None))?;
            return Ok(document(StatusCode::UNPROCESSABLE_ENTITY, html));
        }
    };
    if one(&fields, "what") == "import" {
        // The same table once more enters nothing twice.
        let key = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{}\n{table}", doer.site).as_bytes());
        let done = app.store.import_register(key, &wanted, new_code, doer.acting()).await;
        let notice = doer.notice(app, done)?;
        return Ok(see(&noticed(&format!("/register?site={}", doer.site), notice)));
    }
    let before: BTreeMap<AssetNumber, &Item> = rows.iter().map(|row| (row.number, &row.item)).collect();
    let lines = wanted.iter().filter_map(|wanted| {
        let old = wanted.number.and_then(|number| before.get(&number));
        let changes = old.map_or(0, |old| old.changes(&wanted.item).len());
        let name = wanted.item.get(Field::Name).to_owned();
        let number = wanted.number.map(|number| number.to_string());
        (number.is_none() || changes > 0).then_some(ImportLine { number, name, changes })
    });
    let lines = lines.collect();
    Ok(document(StatusCode::OK, page(app, reader, &doer.site, (table, Vec::new(), Some(lines)))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(nth: u32, name: &str) -> ItemRow {
        let item = Item::read(|field| (field == Field::Name).then_some(name)).unwrap();
        ItemRow { number: AssetNumber::of(nth), item, counted_at: None, version: 1 }
    }

    #[test]
    fn a_table_is_read_in_either_language_and_what_it_does_not_name_stays() {
        let rows = [row(1, "沙发")];
        let number = rows[0].number;
        let table = format!("\u{feff}物品登记\n资产编号,名称,数量,状态\n{number},沙发,3,在库\n,'=花瓶,1,\n");
        let wanted = read(&table, &rows, |_| true).unwrap_or_else(|_| panic!("a table"));
        let said: Vec<_> =
            wanted.iter().map(|one| (one.number, one.item.get(Field::Name), one.item.quantity())).collect();
        assert_eq!(said, [(Some(number), "沙发", 3), (None, "=花瓶", 1)]);
        assert_eq!(wanted[0].item.state(), ItemState::InStore);
    }

    #[test]
    fn every_mistake_has_its_line_and_column() {
        let rows = [row(1, "沙发")];
        let unknown = AssetNumber::of(9);
        let table = format!("number,name,quantity\n{unknown},x,1\n00001-x,x,1\n,x,many\n,,1\n,x,1\n");
        let wrong = read(&table, &rows, |_| true).err().unwrap_or_default();
        let at: Vec<_> = wrong.iter().map(|at| (at.line, at.column)).collect();
        assert_eq!(at, [(2, 1), (3, 1), (4, 3), (5, 2)]);
        assert!(read("a,b\n1,2\n", &rows, |_| true).is_err());
        assert!(read("", &rows, |_| true).is_err());
    }
}
