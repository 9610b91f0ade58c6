//! What the product promises about its rows, asked of the rows themselves: indexes that promise it may be damaged too.

/// A promise about rows.
pub(super) struct Invariant {
    /// The schema since which it can be asked.
    pub since: i64,
    /// What is wrong if it does not hold.
    pub broken: &'static str,
    /// Counts what breaks it, on both databases.
    pub count: &'static str,
}

/// What is promised of the records in a table since a schema.
macro_rules! of_records {
    (epochs, $since:literal, $table:literal) => {
        Invariant {
            since: $since,
            broken: "epochs have records, and no note of what was taken in of them",
            count: concat!(
                "SELECT COUNT(*) FROM (SELECT DISTINCT agent_no, epoch FROM ",
                $table,
                ") r LEFT JOIN stream s ON s.agent_no = r.agent_no AND s.epoch = r.epoch WHERE s.agent_no IS NULL"
            ),
        }
    };
    (counts, $since:literal, $table:literal) => {
        Invariant {
            since: $since,
            broken: "epochs have a record that follows what was taken in, and is not counted",
            count: concat!(
                "SELECT COUNT(*) FROM stream s JOIN ",
                $table,
                " r ON r.agent_no = s.agent_no AND r.epoch = s.epoch AND r.seq = s.committed + 1"
            ),
        }
    };
    (devices, $since:literal, $table:literal) => {
        Invariant {
            since: $since,
            broken: "devices of records are not there",
            count: concat!(
                "SELECT COUNT(*) FROM (SELECT DISTINCT device_no FROM ",
                $table,
                ") r LEFT JOIN device d ON d.no = r.device_no WHERE d.no IS NULL"
            ),
        }
    };
    (forms, $since:literal, $table:literal) => {
        Invariant {
            since: $since,
            broken: "forms of records are not there",
            count: concat!(
                "SELECT COUNT(*) FROM (SELECT DISTINCT form FROM ",
                $table,
                ") r LEFT JOIN form f ON f.no = r.form WHERE f.no IS NULL"
            ),
        }
    };
}

/// All of them.
pub(super) const INVARIANTS: &[Invariant] = &[
    Invariant {
        since: 1,
        broken: "incidents have more than one open alert",
        count: "SELECT COUNT(*) FROM (SELECT site, subject, rule FROM alert WHERE cleared_at IS NULL
            GROUP BY site, subject, rule HAVING COUNT(*) > 1) twice",
    },
    Invariant {
        since: 1,
        broken: "incidents have more than one open ticket",
        count: "SELECT COUNT(*) FROM (SELECT site, subject, fault_class FROM ticket WHERE state <> 'closed'
            GROUP BY site, subject, fault_class HAVING COUNT(*) > 1) twice",
    },
    Invariant {
        since: 1,
        broken: "alerts name a ticket that is not there",
        count: "SELECT COUNT(*) FROM alert a LEFT JOIN ticket t ON t.number = a.ticket
            WHERE a.ticket IS NOT NULL AND t.number IS NULL",
    },
    Invariant {
        since: 1,
        broken: "tickets have no history",
        count: "SELECT COUNT(*) FROM ticket t WHERE NOT EXISTS (SELECT 1 FROM ticket_event e WHERE e.ticket = t.number)",
    },
    Invariant {
        since: 1,
        broken: "notifications name an alert that is not there",
        count: "SELECT COUNT(*) FROM outbox o LEFT JOIN alert a ON a.id = o.alert WHERE a.id IS NULL",
    },
    of_records!(epochs, 1, "record"),
    of_records!(counts, 1, "record"),
    of_records!(devices, 1, "record"),
    of_records!(forms, 6, "record"),
    of_records!(epochs, 39, "record_staged"),
    of_records!(counts, 39, "record_staged"),
    of_records!(devices, 39, "record_staged"),
    of_records!(forms, 39, "record_staged"),
];
