//! Records rendered for people: one record, or one page about all of them.
