FROM debian:12.5 AS base
ARG WHO=root
USER $WHO
FROM base
CMD ["server"]
