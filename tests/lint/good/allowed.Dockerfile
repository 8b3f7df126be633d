FROM debian:12.5
# The entry point drops root itself.
USER root # watertight: allow container.root-user
# watertight: allow secret -- a test key of the vendor's sandbox
ENV API_TOKEN=@{:24}
