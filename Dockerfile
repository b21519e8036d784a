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
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/testarena --create-home testarena
COPY --from=build /src/target/release/testarena /usr/local/bin/testarena
USER testarena
WORKDIR /var/lib/testarena
EXPOSE 3000
# Debian's bash can speak to a port, which spares a program to do so.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/3000 && printf 'GET /readyz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["testarena"]
CMD ["serve", "--config", "/etc/testarena/testarena.toml"]
