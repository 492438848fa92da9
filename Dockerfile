# Two stages: Go builds a static binary, the image holds nothing else.
ARG GO_VERSION=1.26
FROM golang:${GO_VERSION} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /headroom ./cmd/headroom

FROM scratch AS final
# Registries are asked over HTTPS: their certificates are checked against these.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /headroom /headroom
USER 65532:65532
EXPOSE 9443 8081 8080
ENTRYPOINT ["/headroom"]
CMD ["serve"]
