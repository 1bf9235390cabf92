-- Behind a trunk list, which took all of them in. What final lists were not compared with yet waits for the next of
-- these.
delete from clearance.touched
where is_compared or %(all_compared)s
