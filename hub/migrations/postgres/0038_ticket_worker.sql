-- Who works a ticket is known by more than a name, which several may have. Of open tickets it is found out where one person alone is called so.
ALTER TABLE ticket ADD COLUMN owner_id TEXT;
UPDATE ticket SET owner_id = (SELECT MIN(p.id) FROM person p WHERE p.name = ticket.owner AND p.disabled_at IS NULL
        AND (p.site IS NULL OR p.site = ticket.site
            OR EXISTS (SELECT 1 FROM person_grant g WHERE g.person = p.id AND (g.site = '' OR g.site = ticket.site)))
    GROUP BY p.name HAVING COUNT(*) = 1)
WHERE owner <> '' AND state <> 'closed';
