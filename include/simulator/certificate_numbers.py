"""The certificate number (证照编号) of each license type, made up, in the form that the type prescribes."""

from collections.abc import Mapping

from simulator.business_licenses import credit_code
from simulator.numbers import check_digit, plate

NUMBER_IS_HOLDER_CODE = frozenset(
    {
        "resident_identity_card",
        "motor_vehicle_driving_license",
        "road_transport_practitioner_qualification_certificate",
        "business_license",
        "public_institution_legal_person_certificate",
        "social_organisation_registration_certificate",
        "private_non_enterprise_unit_registration_certificate",
    }
)
"""Types whose certificate number is the holder's code."""

_TEMPLATES: Mapping[str, str] = {
    "medical_certificate_of_birth": "X42{serial:07d}",
    "marriage_certificate": "J420704-{year}-{serial:06d}",
    "divorce_certificate": "L420704-{year}-{serial:06d}",
    "social_security_card": "X{serial:08d}",
    "teacher_qualification_certificate": "{year}42{serial:011d}",
    "physician_practice_certificate": "110420704{serial:06d}",
    "nurse_practice_certificate": "{year}42{serial:06d}",
    "employment_and_entrepreneurship_certificate": "420700{serial:010d}",
    "construction_special_operation_qualification_certificate": "鄂A04{year}{serial:06d}",
    "real_estate_ownership_certificate": "鄂({year})鄂州市不动产权第{serial:07d}号",
    "real_estate_registration_certificate": "鄂({year})鄂州市不动产证明第{serial:07d}号",
    "construction_land_planning_permit": "地字第420704{year}{serial:06d}号",
    "construction_project_planning_permit": "建字第420704{year}{serial:06d}号",
    "building_construction_permit": "420704{year}{serial:08d}",
    "commodity_housing_presale_permit": "鄂州房预售证第{year}{serial:06d}号",
    "construction_enterprise_qualification_certificate": "D342{serial:06d}",
    "construction_enterprise_work_safety_permit": "(鄂)JZ安许证字[{year}]{serial:06d}",
    "drug_business_license": "鄂CA711{serial:06d}",
    "medical_device_business_license": "鄂鄂州食药监械经营许{year}{serial:05d}号",
    "public_place_hygiene_permit": "鄂州卫公证字[{year}]第{serial:06d}号",
    "medical_institution_practice_license": "PDY{serial:06d}42070411D1102",
    "road_transport_business_license": "鄂交运管许可鄂州字420704{serial:06d}号",
    "road_dangerous_goods_transport_license": "鄂交运管许可鄂州字420704{serial:06d}号",
    "hazardous_chemicals_business_license": "鄂G危化经字[{year}]{serial:06d}",
    "private_school_operating_permit": "教民142070470{serial:06d}",
    "human_resources_service_permit": "鄂人服证字[{year}]第07{serial:08d}号",
    "minimum_living_allowance_certificate": "鄂州M{year}{serial:06d}",
    "birth_registration_certificate": "鄂州B{year}{serial:06d}",
    "residence_permit": "420704{serial:012d}",
    "medical_insurance_e_voucher": "420704{serial:012d}",
    "other_certificate": "鄂州许字[{year}]第{serial:06d}号",
}
"""License type → its number, for types whose number is made of fixed text, the year and the serial only."""


def certificate_number(license_type: str, serial: int, year: int, holder_code: str) -> str:
    """Return the number of the `serial`-th certificate of a type, issued in `year` to the holder with this code."""
    if license_type in NUMBER_IS_HOLDER_CODE:
        return holder_code
    if license_type in _TEMPLATES:
        return _TEMPLATES[license_type].format(serial=serial, year=year)
    match license_type:
        case "motor_vehicle_license":
            return plate(serial)
        case "disability_certificate":
            return f"{holder_code}{1 + serial % 7}{1 + serial % 4}"
        case "construction_safety_manager_competency_certificate":
            return f"鄂建安{('A', 'B', 'C1', 'C2', 'C3')[serial % 5]}({year}){serial:07d}"
        case "food_business_license":
            return _with_check_digit("JY", f"{1 + serial % 3}420704{serial:06d}")
        case "food_production_license":
            return _with_check_digit("SC", f"{101 + serial // 10_000 % 32}420704{serial % 10_000:04d}")
        case "special_equipment_use_registration_certificate":
            return f"梯11鄂G{serial % 1_000_000:06d}({year % 100:02d})"
        case "water_abstraction_permit":
            return f"D420704S{2019 + serial // 10_000 % 80}-{serial % 10_000:04d}"
        case "pollutant_discharge_permit":
            # It starts with a code of 18 characters, also where the holder's code is shorter.
            return f"{holder_code if len(holder_code) == 18 else credit_code(800_000_000 + serial)}001V"
        case _:
            return f"420704{serial:06d}"


def _with_check_digit(prefix: str, digits: str) -> str:
    return f"{prefix}{digits}{check_digit(digits)}"
