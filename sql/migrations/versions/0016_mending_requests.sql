-- What a reconciliation found is mended on request: collected once more, or withdrawn where the source has it no more.
alter table review.request drop constraint request_kind_check;
alter table review.request add constraint request_kind_check
check (kind in ('return', 'redrive', 'release', 'mend'));
