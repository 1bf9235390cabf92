select exists(
    select from clearance.service
)
