# TestArena in a container: built with its site inside, run as a user without rights.

FROM rust:1-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends nodejs npm \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The tools first: they change seldom, and the next build finds them in its cache.
COPY Cargo.toml package.json package-lock.json .npmrc ./
COPY scripts/setup.sh scripts/
RUN scripts/setup.sh build
COPY . .
RUN make build

FROM debian:bookworm-slim
# The data folder is empty and its owner's alone: a new volume is made as it is here.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /var/lib/testarena testarena \
    && install --directory --owner testarena --group testarena --mode 0700 /var/lib/testarena
COPY --from=build /src/target/release/testarena /usr/local/bin/testarena
USER testarena
WORKDIR /var/lib/testarena
EXPOSE 3000
ENTRYPOINT ["testarena"]
CMD ["serve", "--config", "/etc/testarena/testarena.toml"]
