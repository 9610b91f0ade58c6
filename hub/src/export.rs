//! Tables for spreadsheets: CSV and XLSX.

use rust_xlsxwriter::{Format, Workbook, XlsxError};

/// A table with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// What it is called.
    pub name: String,
    /// What its columns are called.
    pub head: Vec<String>,
    /// Its lines.
    pub lines: Vec<Vec<Cell>>,
}

/// What stands in a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A number.
    Number(f64),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl Cell {
    /// As it stands in CSV. What a spreadsheet would take for a formula is marked as text, so that nothing is run that a person has written.
    fn plain(&self) -> String {
        match self {
            Self::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
            Self::Text(text) => text.clone(),
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// The tables as CSV in UTF-8, below one another, each with its name above it. The mark at the beginning tells spreadsheets the encoding.
///
/// # Errors
///
/// None that a table in memory can have.
pub fn csv(sheets: &[Sheet]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer("\u{feff}".as_bytes().to_vec());
    for (number, sheet) in sheets.iter().enumerate() {
        if number > 0 {
            writer.write_record([""])?;
        }
        writer.write_record([&sheet.name])?;
        writer.write_record(&sheet.head)?;
        for line in &sheet.lines {
            writer.write_record(line.iter().map(Cell::plain))?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// The tables as the sheets of a workbook.
///
/// # Errors
///
/// If a table has more lines than a spreadsheet can have, or a name that it does not take.
pub fn xlsx(sheets: &[Sheet]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let bold = Format::new().set_bold();
    for sheet in sheets {
        let page = workbook.add_worksheet();
        page.set_name(&sheet.name)?;
        for (column, word) in (0_u16..).zip(&sheet.head) {
            page.write_with_format(0, column, word, &bold)?;
        }
        for (row, line) in (1_u32..).zip(&sheet.lines) {
            for (column, cell) in (0_u16..).zip(line) {
                match cell {
                    Cell::Text(text) => page.write_string(row, column, text)?,
                    #[expect(clippy::cast_precision_loss, reason = "a spreadsheet has no other numbers")]
                    Cell::Whole(number) => page.write_number(row, column, *number as f64)?,
                    Cell::Number(number) => page.write_number(row, column, *number)?,
                };
            }
        }
        page.set_freeze_panes(1, 0)?;
        page.autofit();
    }
    workbook.save_to_buffer()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Data, Reader, Xlsx};

    use super::*;

    fn sheets() -> [Sheet; 2] {
        let lines = vec![vec!["库房, 一楼".into(), 12.into()], vec!["=1+1".into(), Cell::Number(-2.5)]];
        let head = vec!["地点".to_owned(), "数量".to_owned()];
        [
            Sheet { name: "收发存".into(), head, lines },
            Sheet { name: "B".into(), head: vec!["x".into()], lines: vec![] },
        ]
    }

    #[test]
    fn csv_says_its_encoding_and_runs_nothing() {
        let text = String::from_utf8(csv(&sheets()).unwrap()).unwrap();
        assert_eq!(text, "\u{feff}收发存\n地点,数量\n\"库房, 一楼\",12\n'=1+1,-2.5\n\"\"\nB\nx\n");
    }

    #[test]
    fn a_workbook_holds_what_was_put_in() {
        let mut read: Xlsx<_> = Xlsx::new(Cursor::new(xlsx(&sheets()).unwrap())).unwrap();
        assert_eq!(read.sheet_names(), ["收发存", "B"]);
        let range = read.worksheet_range("收发存").unwrap();
        let cells: Vec<_> = range.cells().map(|(row, column, cell)| (row, column, cell.clone())).collect();
        let text = |text: &str| Data::String(text.into());
        assert_eq!(
            cells,
            [
                (0, 0, text("地点")),
                (0, 1, text("数量")),
                (1, 0, text("库房, 一楼")),
                (1, 1, Data::Float(12.0)),
                (2, 0, text("=1+1")),
                (2, 1, Data::Float(-2.5)),
            ]
        );
    }
}
