select exists(select from deleting_certificate)
