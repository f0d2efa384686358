package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	method  = "/brightline.v1.InferenceService/GenerateStream"
	patient = time.Minute
)

type chunk struct {
	Choices []struct {
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
	} `json:"choices"`
}

// overHTTP streams chat completions as server-sent events over one connection.
func overHTTP(url string, body []byte, headers []string) func(func()) (string, error) {
	client := &http.Client{Timeout: patient}
	return func(first func()) (string, error) {
		request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return "", err
		}
		request.Header.Set("Content-Type", "application/json")
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			request.Header.Set(name, value)
		}
		response, err := client.Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			said, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
			return "", fmt.Errorf("%s: %s", response.Status, said)
		}
		return events(response.Body, first)
	}
}

func events(body io.Reader, first func()) (string, error) {
	var text strings.Builder
	for lines := bufio.NewScanner(body); lines.Scan(); {
		data, found := strings.CutPrefix(lines.Text(), "data: ")
		if data == "[DONE]" {
			_, err := io.Copy(io.Discard, body) // so that the connection is used again
			return text.String(), err
		}
		var event chunk
		if !found {
			continue
		}
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return "", err
		}
		for _, choice := range event.Choices {
			if choice.Delta.Content != "" {
				first()
				text.WriteString(choice.Delta.Content)
			}
		}
	}
	return "", errors.New("the stream ended without [DONE]")
}

// overGRPC streams answers of this gateway over one connection.
func overGRPC(address, ca, certificate, key string, token, request []byte) func(func()) (string, error) {
	secure, err := clientTLS(ca, certificate, key)
	check(err)
	asks := grpc.WithDefaultCallOptions(grpc.ForceCodec(asIs{}))
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(secure)), asks)
	check(err)
	bearer := metadata.Pairs("authorization", "Bearer "+string(token))
	return func(first func()) (string, error) {
		limited, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		stream, err := connection.NewStream(
			metadata.NewOutgoingContext(limited, bearer), &grpc.StreamDesc{ServerStreams: true}, method)
		if err != nil {
			return "", err
		}
		if err := errors.Join(stream.SendMsg(&raw{request}), stream.CloseSend()); err != nil {
			return "", err
		}
		var text strings.Builder
		ended := false
		for {
			var message raw
			if err := stream.RecvMsg(&message); err != nil {
				if errors.Is(err, io.EOF) && ended {
					return text.String(), nil
				}
				return "", fmt.Errorf("before the end: %w", err)
			}
			field, _, read := protowire.ConsumeTag(message.data)
			switch field { // of GenerateStreamResponse
			case 2:
				piece, _ := protowire.ConsumeString(message.data[read:])
				first()
				text.WriteString(piece)
			case 4:
				ended = true
			}
		}
	}
}

// raw is a message that nobody reads.
type raw struct{ data []byte }

type asIs struct{}

func (asIs) Name() string                      { return "proto" }
func (asIs) Marshal(value any) ([]byte, error) { return value.(*raw).data, nil }
func (asIs) Unmarshal(data []byte, value any) error {
	value.(*raw).data = bytes.Clone(data)
	return nil
}

func serverTLS(ca, certificate, key string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: trusted(ca), ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS13,
	}, err
}

func clientTLS(ca, certificate, key string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: trusted(ca), MinVersion: tls.VersionTLS13,
	}, err
}

func trusted(ca string) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(read(ca))
	return pool
}
