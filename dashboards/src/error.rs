//! A page that could not be shown: plain words, and what to do.

use askama::Template;

use crate::{
    chrome::{Chrome, page},
    texts::Texts,
};

/// Why a page could not be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Problem {
    /// 400
    BadRequest,
    /// 401
    SignInNeeded,
    /// 403
    Forbidden,
    /// 404
    NotFound,
    /// 409
    Conflict,
    /// 410, of a link that is good once
    LinkOver,
    /// 413
    TooLarge,
    /// 429
    TooMany,
    /// 500
    Internal,
    /// 503
    Unavailable,
}

impl Problem {
    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::SignInNeeded => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::LinkOver => 410,
            Self::TooLarge => 413,
            Self::TooMany => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// What happened, and what to do.
    fn words(self, t: &Texts) -> (&'static str, &'static str) {
        match self {
            Self::BadRequest => (t.problem_bad_request, t.remedy_bad_request),
            Self::SignInNeeded => (t.problem_sign_in, t.remedy_sign_in),
            Self::Forbidden => (t.problem_forbidden, t.remedy_forbidden),
            Self::NotFound => (t.problem_not_found, t.remedy_not_found),
            Self::Conflict => (t.problem_conflict, t.remedy_conflict),
            Self::LinkOver => (t.problem_link_over, t.remedy_link_over),
            Self::TooLarge => (t.problem_too_large, t.remedy_too_large),
            Self::TooMany => (t.problem_too_many, t.remedy_too_many),
            Self::Internal => (t.problem_internal, t.remedy_internal),
            Self::Unavailable => (t.problem_unavailable, t.remedy_unavailable),
        }
    }
}

/// Any page that could not be shown.
#[derive(Debug, Clone, Template)]
#[template(path = "error.html", blocks = ["main", "lamp"])]
pub struct ErrorPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// Why.
    pub problem: Problem,
    /// What finds the log line, such as a request id.
    pub reference: Option<String>,
}

page!(ErrorPage);
