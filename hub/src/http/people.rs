//! What people hold, as whoever runs a site, or all of them, sees and changes it: nobody gives or takes more than they have themselves.

use lobby_domain::access::{Grant, Role};

use super::{App, error::ApiError, gate::Caller};
use crate::store::{PersonError, PersonRow};

/// What becomes of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is given.
    Give,
    /// It is taken away.
    Take,
}

/// Why what somebody holds was not changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum GrantError {
    /// There is nobody of that id of whom the caller may know.
    #[error("there is no such person")]
    Nobody,
    /// There is no such site.
    #[error("there is no such site")]
    Site,
    /// It is more than the caller has.
    #[error("this is not yours to give or to take away: nobody gives more than they have")]
    NotTheirs,
    /// What the store says.
    #[error(transparent)]
    Person(#[from] PersonError),
}

impl From<GrantError> for ApiError {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Nobody | GrantError::Person(PersonError::NotFound(_)) => Self::NotFound("person"),
            GrantError::Site => Self::NotFound("site"),
            GrantError::NotTheirs => Self::NotTheirs,
            GrantError::Person(PersonError::Store(error)) => Self::Store(error),
            GrantError::Person(error) => Self::Conflict(error.to_string()),
        }
    }
}

/// Whether a caller may know of somebody: of whoever holds something that is theirs to give.
pub(super) fn is_seen(caller: &Caller, row: &PersonRow) -> bool {
    row.grants().any(|grant| caller.may_give(grant))
}

/// Whether all that somebody holds is the caller's to give. Whoever may make them a new link could be them: that takes all of it.
pub(super) fn is_theirs(caller: &Caller, row: &PersonRow) -> bool {
    row.grants().all(|grant| caller.may_give(grant))
}

/// Whether a caller erases people.
pub(super) fn may_erase(caller: &Caller) -> bool {
    caller.all().is_some_and(|grants| grants.iter().any(|grant| grant.role == Role::Admin))
}

/// Somebody of whom a caller may know.
pub(super) async fn seen(app: &App, caller: &Caller, id: &str) -> Result<PersonRow, GrantError> {
    let people = app.store.people().await.map_err(PersonError::Store)?;
    people.into_iter().find(|row| row.id == id && is_seen(caller, row)).ok_or(GrantError::Nobody)
}

/// Gives somebody a role at a site or at all of them, or takes it away. Once more changes nothing. A role at a site that is no more can
/// still be taken away.
pub(super) async fn turn(
    app: &App,
    caller: &Caller,
    (id, grant): (&str, &Grant),
    turn: Turn,
) -> Result<PersonRow, GrantError> {
    seen(app, caller, id).await?;
    if !caller.may_give(grant) {
        return Err(GrantError::NotTheirs);
    }
    let is_known = |site| app.fleet.read().contains_key(site) || app.fleet.setup().sites.contains_key(site);
    let (now, actor) = (app.clock.now(), caller.actor(""));
    Ok(match turn {
        Turn::Give if !grant.site.as_ref().is_none_or(is_known) => return Err(GrantError::Site),
        Turn::Give => app.store.give_grant(id, grant, now, &actor).await?,
        Turn::Take => app.store.take_grant(id, grant, now, &actor).await?,
    })
}
