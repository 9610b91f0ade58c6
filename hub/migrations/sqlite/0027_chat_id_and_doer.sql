-- By what the chats know people: messages in their groups that are about something that one person has to see to mention that person.
CREATE TABLE chat_id (
    person TEXT NOT NULL REFERENCES person (id),
    chat   TEXT NOT NULL,              -- wecom, dingtalk or feishu
    id     TEXT NOT NULL,
    PRIMARY KEY (person, chat)
) STRICT;

-- Nobody approves a purchase at two levels: of what was done from now on it is known by whom, also where two people have one name.
ALTER TABLE purchase_step ADD COLUMN doer TEXT;
