# syntax=docker/dockerfile:1
# Multi-stage: dependencies are a layer of their own, so that RocksDB is compiled only when they change.
FROM rust:1.95-bookworm AS base
RUN apt-get update \
 && apt-get install -y --no-install-recommends libclang-dev g++ \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
ENV CARGO_TARGET_DIR=/build/target

FROM base AS dependencies
COPY Cargo.toml Cargo.lock rust-toolchain.toml ./
COPY .cargo .cargo
COPY chain-config/Cargo.toml chain-config/
COPY evidence-store/Cargo.toml evidence-store/
# Empty crates with the real manifests: what is built here is every dependency and nothing else.
RUN mkdir -p src benches chain-config/src evidence-store/src evidence-store/benches \
 && echo 'fn main() {}' | tee src/main.rs benches/drain.rs benches/evidence.rs benches/hot_path.rs \
      benches/instructions.rs evidence-store/benches/growth.rs > benches/pure.rs \
 && touch src/lib.rs chain-config/src/lib.rs evidence-store/src/lib.rs \
 && cargo build --release --locked --workspace \
 && rm -rf src chain-config/src evidence-store/src

FROM dependencies AS build
COPY chain-config chain-config
COPY evidence-store evidence-store
COPY src src
COPY tollgate.example.toml ./
# The empty crates were newer than the sources just copied.
RUN touch src/lib.rs src/main.rs chain-config/src/lib.rs evidence-store/src/lib.rs \
 && cargo build --release --locked --bin tollgate \
 && install -d -o 65532 -g 65532 /out/data \
 && cp target/release/tollgate /out/tollgate

# C++ runtime and certificates only; no shell. Runs as uid 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/tollgate /usr/local/bin/tollgate
COPY --from=build --chown=65532:65532 /out/data /var/lib/tollgate
USER 65532:65532
VOLUME /var/lib/tollgate
EXPOSE 8080 9600
STOPSIGNAL SIGTERM
# Run with a read-only root filesystem: everything that is written is in the volume.
#   docker run --read-only -v tollgate:/var/lib/tollgate -v ./tollgate.toml:/etc/tollgate/tollgate.toml:ro tollgate
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["/usr/local/bin/tollgate", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/tollgate"]
CMD ["serve", "--config", "/etc/tollgate/tollgate.toml"]
