-- Open tickets are counted by what is due next without reading each.
CREATE INDEX ticket_queue ON ticket (site, state, respond_by, arrive_by, complete_by, opened_at) WHERE state <> 'closed';
