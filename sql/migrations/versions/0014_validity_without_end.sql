-- "Valid for good" and "no end was told" are two things. What has an end is neither: no row is rewritten.
alter table store.certificate add column valid_without_end boolean default false;
alter table store.certificate alter column valid_without_end drop default;
alter table store.certificate_history add column valid_without_end boolean default false;
alter table store.certificate_history alter column valid_without_end drop default;
comment on column store.certificate.valid_without_end is
'true 部门写明长期有效；false 有截止日期，或未填；空 本列启用前入库而无截止日期，写明与否未知，该证照再次送来时补正';

alter table stock.expiry add column untold bigint;
alter table stock.expiry add column unknown bigint;
comment on column stock.expiry.endless is '写明长期有效（untold 为空的旧统计中含未填截止日期的）';
comment on column stock.expiry.untold is '未填有效期截止日期；空 旧统计未分开';
comment on column stock.expiry.unknown is '写明长期还是未填尚不知道：valid_without_end 为空';

-- Of what was stored without an end, only the validity in words may still tell: of the others it is not known.
update store.certificate
set
    valid_without_end = case
        when validity ~ '(^|[0-9日] ?[至到~—-]+ ?)(长期|永久|终身|无固定期限?|无期限|无限期|不约定期限)(有效)?$' then true
    end
where valid_to is null;

update store.certificate_history
set
    valid_without_end = case
        when validity ~ '(^|[0-9日] ?[至到~—-]+ ?)(长期|永久|终身|无固定期限?|无期限|无限期|不约定期限)(有效)?$' then true
    end
where valid_to is null;
