select exists(select from deleting_row)
