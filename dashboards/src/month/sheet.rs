//! An item's month on paper, with room for the names of those who count, check and approve.

use askama::Template;

use super::{DayOfMonth, PlanPage, StatementPage};
use crate::{
    sheet::{Sheet, Ways},
    texts::MonthTexts,
};

/// Days in one line of the table of days.
const DAYS_IN_LINE: usize = 16;

/// `/stock/statement/{month}/print`: what was used, on paper.
#[derive(Debug, Clone, Template)]
#[template(path = "statement_sheet.html")]
pub struct StatementSheet {
    /// What surrounds it.
    pub sheet: Sheet,
    /// What people call the site.
    pub site: String,
    /// What stands on it.
    pub page: StatementPage,
}

/// `/stock/plan/{month}/print`: what is to be bought, on paper.
#[derive(Debug, Clone, Template)]
#[template(path = "plan_sheet.html")]
pub struct PlanSheet {
    /// What surrounds it.
    pub sheet: Sheet,
    /// What people call the site.
    pub site: String,
    /// What stands on it.
    pub page: PlanPage,
}

impl StatementSheet {
    /// The whole document.
    pub fn render(&self) -> Result<String, askama::Error> {
        Template::render(self)
    }

    fn m(&self) -> &'static MonthTexts {
        self.sheet.lang.month_texts()
    }

    #[expect(clippy::unused_self, reason = "what every printed document tells its frame")]
    fn ways(&self) -> Ways {
        Vec::new()
    }

    fn lines(&self) -> impl Iterator<Item = &[DayOfMonth]> {
        self.page.days.chunks(DAYS_IN_LINE)
    }
}

impl PlanSheet {
    /// The whole document.
    pub fn render(&self) -> Result<String, askama::Error> {
        Template::render(self)
    }

    fn m(&self) -> &'static MonthTexts {
        self.sheet.lang.month_texts()
    }

    #[expect(clippy::unused_self, reason = "what every printed document tells its frame")]
    fn ways(&self) -> Ways {
        Vec::new()
    }
}
