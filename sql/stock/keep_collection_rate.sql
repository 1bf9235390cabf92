insert into stock.collection_rate (
    day, department, license_type, year, collected, lacking_of_cases, lacking_of_problems, lacking_of_comparison
) values (
    %(day)s, %(department)s, %(license_type)s, %(year)s, %(collected)s, %(lacking_of_cases)s, %(lacking_of_problems)s,
    %(lacking_of_comparison)s
)
