delete from clearance.touched
