//! What surrounds every page: site, navigation, language, whether data come in, and one-line notices.

use lobby_contract::SiteId;
use lobby_domain::access::{Need, Role};

use crate::{
    photo::PhotoMistake,
    roster::PostNow,
    state::State,
    stock::StockMistake,
    texts::{Lang, Texts, fill2},
    time::{Calendar, When},
};

/// Which page this is; the navigation marks it, and the event stream is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Page {
    /// `/`
    Overview,
    /// `/concierge`
    Concierge,
    /// `/engineering`
    Engineering,
    /// `/showflat`
    Showflat,
    /// `/reception`
    Reception,
    /// `/alerts`
    Alerts,
    /// `/silences`
    Silences,
    /// `/maintenance`
    Maintenance,
    /// `/outbox`
    Outbox,
    /// `/d/{code}`
    Device,
    /// `/agents`
    Agents,
    /// `/a/{site}/{agent}`
    Agent,
    /// `/t/{no}`
    Ticket,
    /// `/health`
    Health,
    /// `/sign-in`
    SignIn,
    /// `/setup/{link}`
    Setup,
    /// `/account`
    Account,
    /// `/people`
    People,
    /// `/roster`
    Roster,
    /// `/stock`
    Stock,
    /// `/register`, and below it
    Register,
    /// `/checks`
    Checks,
    /// `/checks/{id}`
    Round,
    /// `/audit`
    Audit,
    /// `/escalations`
    Escalations,
    /// `/report`, `/d/{code}/report`, and what a label leads guests to
    Report,
    /// Any page that could not be shown.
    Error,
}

impl Page {
    /// The pages in the navigation, in its order.
    pub const NAV: [Self; 6] =
        [Self::Overview, Self::Concierge, Self::Engineering, Self::Showflat, Self::Reception, Self::Alerts];

    const OF_ALERTS: [Self; 5] = [Self::Alerts, Self::Escalations, Self::Silences, Self::Maintenance, Self::Outbox];

    /// Its name, as in `/events?page={name}`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Concierge => "concierge",
            Self::Engineering => "engineering",
            Self::Showflat => "showflat",
            Self::Reception => "reception",
            Self::Alerts => "alerts",
            Self::Silences => "silences",
            Self::Maintenance => "maintenance",
            Self::Outbox => "outbox",
            Self::Device => "device",
            Self::Agents => "agents",
            Self::Agent => "agent",
            Self::Ticket => "ticket",
            Self::Health => "health",
            Self::SignIn => "sign-in",
            Self::Setup => "setup",
            Self::Account => "account",
            Self::People => "people",
            Self::Roster => "roster",
            Self::Stock => "stock",
            Self::Register => "register",
            Self::Checks => "checks",
            Self::Round => "round",
            Self::Audit => "audit",
            Self::Escalations => "escalations",
            Self::Report => "report",
            Self::Error => "error",
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Concierge => "/concierge",
            Self::Engineering => "/engineering",
            Self::Showflat => "/showflat",
            Self::Reception => "/reception",
            Self::Alerts => "/alerts",
            Self::Silences => "/silences",
            Self::Maintenance => "/maintenance",
            Self::Outbox => "/outbox",
            Self::Agents => "/agents",
            Self::Health => "/health",
            Self::SignIn => "/sign-in",
            Self::Account => "/account",
            Self::People => "/people",
            Self::Roster => "/roster",
            Self::Stock => "/stock",
            Self::Register => "/register",
            Self::Checks | Self::Round => "/checks",
            Self::Audit => "/audit",
            Self::Escalations => "/escalations",
            Self::Report => "/report",
            Self::Overview | Self::Device | Self::Agent | Self::Ticket | Self::Setup | Self::Error => "/",
        }
    }

    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Overview => t.nav_overview,
            Self::Concierge => t.nav_concierge,
            Self::Engineering => t.nav_engineering,
            Self::Showflat => t.nav_showflat,
            Self::Reception => t.nav_reception,
            Self::Alerts => t.nav_alerts,
            Self::Silences => t.silences,
            Self::Maintenance => t.maintenance,
            Self::Outbox => t.outbox,
            Self::Device => t.device,
            Self::Agents => t.agents,
            Self::Agent => t.agent,
            Self::Ticket => t.ticket,
            Self::Health => t.health,
            Self::SignIn => t.sign_in,
            Self::Setup => t.setup_password,
            Self::Account => t.account,
            Self::People => t.people,
            Self::Roster => t.roster,
            Self::Stock => t.stock,
            Self::Register => t.register,
            Self::Checks | Self::Round => t.checks,
            Self::Audit => t.audit,
            Self::Escalations => t.escalations,
            Self::Report => t.report,
            Self::Error => t.error,
        }
    }
}

/// A site as the header names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its name in addresses.
    pub id: SiteId,
    /// What people call it.
    pub name: String,
}

/// One of several views to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its words.
    pub label: String,
    /// Where it leads.
    pub href: String,
    /// Whether it is the one shown.
    pub current: bool,
}

/// Whether data come in for the sites of this page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Agents whose link is up.
    pub up: u32,
    /// All agents.
    pub agents: u32,
    /// When the last record came in.
    pub last: Option<When>,
}

impl Collection {
    pub(crate) fn state(&self) -> State {
        match (self.up, self.agents) {
            (_, 0) => State::Unknown,
            (0, _) => State::Offline,
            (up, agents) if up < agents => State::Abnormal,
            _ => State::Normal,
        }
    }

    pub(crate) fn sentence(&self, t: &Texts) -> String {
        let words = match self.state() {
            State::Unknown => return t.collection_none.to_owned(),
            State::Offline => t.collection_lost,
            State::Abnormal => t.collection_partly,
            State::Normal | State::Maintenance => t.collection_ok,
        };
        fill2(words, &self.up.to_string(), &self.agents.to_string())
    }
}

/// What became of the reader's last action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// It is done.
    Saved,
    /// The superior was told.
    Told,
    /// A photo was not taken.
    Photo(PhotoMistake),
    /// It was not entered in the stock ledger.
    Stock(StockMistake),
    /// Somebody else changed the ticket first.
    Conflict,
    /// The reader's post may not do it.
    NotAllowed,
    /// The ticket is not at the step that the action belongs to.
    WrongStep,
    /// What was filled in makes no sense.
    Invalid,
    /// What the ticket is to be a duplicate of is not open any more.
    NoOriginal,
    /// The chain of command does not lead there.
    NotAbove,
    /// Levels are skipped only by a named person who says why.
    Skips,
    /// Something of a round is not answered yet.
    Lacking,
    /// A handover takes two people.
    TwoPeople,
    /// Nothing was written where something has to be.
    Empty,
    /// Not every difference of a stock-take is explained.
    Unexplained,
    /// It is the reader's own request.
    OwnMove,
    /// So many of it cannot be moved that way.
    NoSuchMove,
    /// Another item is this device already.
    DeviceTaken,
    /// Whoever began it closes it.
    NotTheirs,
    /// It is over already.
    Over,
    /// More is open at all sites than one page shows.
    Cut,
    /// The test message was taken.
    TestTaken,
    /// The test message was not taken.
    TestRefused,
    /// No test message was sent, because the channel has sent as much as its receiver takes.
    TestSoon,
    /// The message waits to be sent again.
    Resent,
    /// The message is not one that will not be taken; somebody else may have been first.
    NotDead,
    /// The message's channel is not configured any more.
    NoChannel,
}

impl Notice {
    pub(crate) fn words(self, t: &Texts) -> &'static str {
        match self {
            Self::Saved => t.notice_saved,
            Self::Told => t.notice_told,
            Self::Photo(mistake) => mistake.words(t),
            Self::Stock(mistake) => mistake.words(t),
            Self::Conflict => t.notice_conflict,
            Self::NotAllowed => t.notice_not_allowed,
            Self::WrongStep => t.notice_wrong_step,
            Self::Invalid => t.notice_invalid,
            Self::Over => t.notice_over,
            Self::Cut => t.notice_cut,
            Self::NoOriginal => t.notice_no_original,
            Self::NotAbove => t.notice_not_above,
            Self::Skips => t.notice_skips,
            Self::Lacking => t.notice_lacking,
            Self::TwoPeople => t.notice_two_people,
            Self::Empty => t.notice_empty,
            Self::Unexplained => t.notice_unexplained,
            Self::OwnMove => t.notice_own_move,
            Self::NoSuchMove => t.notice_no_such_move,
            Self::DeviceTaken => t.notice_device_taken,
            Self::NotTheirs => t.notice_not_theirs,
            Self::TestTaken => t.notice_test_taken,
            Self::TestRefused => t.notice_test_refused,
            Self::TestSoon => t.notice_test_soon,
            Self::Resent => t.notice_resent,
            Self::NotDead => t.notice_not_dead,
            Self::NoChannel => t.notice_no_channel,
        }
    }

    pub(crate) fn state(self) -> State {
        if matches!(self, Self::Saved | Self::Told | Self::TestTaken | Self::Resent) {
            State::Normal
        } else {
            State::Abnormal
        }
    }
}

/// How far a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// They have not signed in: no way leads anywhere, and nothing is told of any site.
    Nothing,
    /// One site: pages about all of them are not theirs.
    OneSite,
    /// Every site.
    AllSites,
}

/// A role that the reader holds at a site or at all of them, with the way to its first page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldPost {
    /// The role.
    pub role: Role,
    /// The site; all of them if there is none.
    pub site: Option<String>,
    /// The first page of whoever is that there.
    pub href: String,
    /// Whether that page is shown.
    pub current: bool,
}

impl HeldPost {
    /// The role and where it is held, such as `Manager · Lakeside One`.
    pub(crate) fn words(&self, t: &Texts) -> String {
        crate::account::held_words((self.role, self.site.as_deref()), t)
    }
}

/// What surrounds a page.
#[derive(Debug, Clone)]
pub struct Chrome {
    /// The page's language.
    pub lang: Lang,
    /// Now, and the zone of the page's clock times.
    pub calendar: Calendar,
    /// Which page this is.
    pub page: Page,
    /// The page's own path and query, such as `/concierge?site=sh-01`.
    pub path: String,
    /// The site shown; `None` when several are shown together.
    pub site: Option<Site>,
    /// The sites to choose from; the choice is shown when there are at least two.
    pub sites: Vec<Choice>,
    /// Whether data come in.
    pub collection: Collection,
    /// How many of the product's own troubles want attention.
    pub troubles: u32,
    /// What became of the reader's last action.
    pub notice: Option<Notice>,
    /// Whether this is a demonstration with simulated equipment.
    pub demo: bool,
    /// Whether the page follows changes; an error page never does.
    pub live: bool,
    /// The signed-in person, with a button to sign out (`POST /sign-out`).
    pub person: Option<String>,
    /// What the reader is at the site that is shown; whoever is nothing in particular may do everything.
    pub roles: Option<Vec<Role>>,
    /// What the reader holds, to change from one to another; empty of whoever holds one role.
    pub posts: Vec<HeldPost>,
    /// Who is on duty at the site that is shown, those who act before their superiors; nobody if it keeps no roster.
    pub duty: Vec<PostNow>,
    /// What the reader may see.
    pub sight: Sight,
    /// Whether the page of what was changed everywhere is the reader's.
    pub audits: bool,
}

impl Chrome {
    pub(crate) fn t(&self) -> &'static Texts {
        self.lang.texts()
    }

    /// The texts of rounds.
    pub(crate) fn w(&self) -> &'static crate::check::texts::Texts {
        match self.lang {
            Lang::Zh => &crate::check::texts::ZH,
            Lang::En => &crate::check::texts::EN,
        }
    }

    /// The address of `path`, staying with the chosen site when there are several.
    pub(crate) fn to(&self, path: &str) -> String {
        match &self.site {
            Some(site) if self.sites.len() > 1 => format!("{path}?site={}", site.id),
            _ => path.to_owned(),
        }
    }

    /// The pages of alerts: the list, what keeps some of them quiet, and what was sent about them.
    pub(crate) fn of_alerts(&self) -> Vec<Choice> {
        let pages = Page::OF_ALERTS
            .into_iter()
            .filter(|page| self.sight == Sight::AllSites || matches!(page, Page::Alerts | Page::Escalations));
        let choice = |page: Page| Choice {
            label: page.word(self.t()).to_owned(),
            href: self.to(page.path()),
            current: self.is(page),
        };
        pages.map(choice).collect()
    }

    pub(crate) fn events(&self) -> String {
        match &self.site {
            Some(site) => format!("/events?page={}&site={}", self.page.name(), site.id),
            None => format!("/events?page={}", self.page.name()),
        }
    }

    pub(crate) fn is(&self, page: Page) -> bool {
        self.page == page
    }

    /// How the navigation marks `page`: as the one that is shown, or as the one that it belongs to.
    pub(crate) fn current(&self, page: Page) -> Option<&'static str> {
        if self.is(page) {
            return Some("page");
        }
        let belongs = match page {
            Page::Alerts => Page::OF_ALERTS.contains(&self.page),
            Page::Engineering => matches!(self.page, Page::Agents | Page::Agent | Page::Ticket),
            _ => false,
        };
        belongs.then_some("true")
    }

    /// The zone of the page's clock times, such as `UTC+8`.
    pub(crate) fn zone(&self) -> String {
        crate::time::offset(self.calendar.now, &self.calendar.zone)
    }

    /// What surrounds a page that shows nothing of any site.
    pub fn bare(lang: Lang, calendar: Calendar, page: Page, path: String) -> Self {
        Self {
            lang,
            calendar,
            page,
            path,
            site: None,
            sites: Vec::new(),
            collection: Collection { up: 0, agents: 0, last: None },
            troubles: 0,
            notice: None,
            demo: false,
            live: false,
            person: None,
            roles: None,
            posts: Vec::new(),
            duty: Vec::new(),
            sight: Sight::Nothing,
            audits: false,
        }
    }

    /// Whether what needs this is offered to the reader.
    pub(crate) fn may(&self, need: Need) -> bool {
        let may = |roles: &Vec<Role>| roles.iter().any(|role| role.may(need));
        self.sight != Sight::Nothing && self.roles.as_ref().is_none_or(may)
    }

    /// Whether the script follows the hub: never on an error page, which it would only load again and again.
    pub(crate) fn follows(&self) -> bool {
        self.live && self.page != Page::Error
    }

    pub(crate) fn several_sites(&self) -> bool {
        self.sites.len() > 1
    }

    pub(crate) fn ago(&self, when: &When) -> String {
        crate::time::ago(self.t(), when.ms, self.calendar.now)
    }

    pub(crate) fn lasting(&self, when: &When) -> String {
        crate::time::lasting(self.t(), when.ms, self.calendar.now)
    }

    pub(crate) fn left(&self, when: &When) -> String {
        crate::time::left(self.t(), when.ms, self.calendar.now)
    }

    pub(crate) fn is_past(&self, when: &When) -> bool {
        when.ms < self.calendar.now
    }
}

/// Gives a page its two ways out. The struct must have `chrome` and a template with the blocks `main` and `lamp`.
macro_rules! page {
    ($page:ident) => {
        impl $page {
            /// The whole document.
            pub fn render(&self) -> Result<String, askama::Error> {
                askama::Template::render(self)
            }

            /// Only `<main>` and the lamp that says whether data come in, for a page that is refreshed in place.
            pub fn render_main(&self) -> Result<String, askama::Error> {
                let main = askama::Template::render(&self.as_main())?;
                let lamp = askama::Template::render(&self.as_lamp())?;
                Ok(format!("<main>{main}</main>{lamp}"))
            }
        }
    };
}
pub(crate) use page;
