# The worker in a container: `make image` builds it, compose.yaml tries it.
#
# Any builder can build it: it needs neither BuildKit nor a cache that outlives the build. What comes out is for the
# processor of the machine that builds it. Its base images are pinned by digest: `make pin-images` writes the current ones.

# The same Debian as below: what is linked against its glibc finds one there.
FROM rust:1.95.0-slim-trixie@sha256:e14e87345b4d5964ddcc3491d27ee046a0f23820f340c3c1e24da6880141f7c0 AS build
WORKDIR /build
# Symbols and line numbers are four fifths of the program. Where it panics, it names the line without them.
ENV CARGO_PROFILE_RELEASE_STRIP=symbols
# The dependencies, behind empty programs. This layer stays until Cargo.toml or Cargo.lock change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src/bin/loadgate \
    && touch src/lib.rs \
    && echo 'fn main() {}' >src/bin/loadgate/main.rs \
    && cargo build --release --locked --no-default-features --features api,worker --bin loadgate
COPY src src
# cargo goes by times, and a file of a checkout may be older than the empty one that was built.
RUN touch src/lib.rs src/bin/loadgate/main.rs \
    && cargo build --release --locked --no-default-features --features api,worker --bin loadgate

# glibc, libgcc, and the roots of TLS, which the SDK's client takes from the system; no shell, no package manager. The
# tag moves with Debian's security updates and the digest does not: run `make pin-images` before each release.
FROM gcr.io/distroless/cc-debian13:nonroot@sha256:54df941ed0d06a1bd95ef5e0ce391fd8d9f94b64782dc9a60062727849ee3f97
COPY --from=build /build/target/release/loadgate /usr/local/bin/loadgate
# By number: Kubernetes' `runAsNonRoot` does not look up names.
USER 65532:65532
# By itself it listens on loopback, where nobody from outside of the container gets through.
ENV LOADGATE_LISTEN=0.0.0.0:9464
EXPOSE 9464
# checkov:skip=CKV_DOCKER_2: Nothing in here could ask. Schedulers ask /healthz and /readyz on port 9464 from outside.
# On SIGTERM it finishes what it has begun, for LOADGATE_STOP_TIMEOUT_S (25 s) at the most: give it longer before it is
# killed. Kubernetes and ECS give 30 s by themselves, `docker stop` only 10: say `docker stop --time 30`.
STOPSIGNAL SIGTERM
ENTRYPOINT ["loadgate"]
CMD ["worker"]
