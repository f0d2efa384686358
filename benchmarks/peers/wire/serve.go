package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// The answer, and a streamed one's pieces: 60 of 8 characters, one every 5 ms.
const (
	sentence = "Each of the nine trucks makes two full trips, and Thursday is tight. "
	size     = 8
	pieces   = 60
	every    = 5 * time.Millisecond
)

var answer = strings.Repeat(sentence, 7)[:size*pieces]

type asked struct {
	Model  string `json:"model"`
	Stream bool   `json:"stream"`
}

// serve prints the three addresses and answers until standard input ends, as it does when the parent is gone.
func serve(ca, certificate, key string) {
	upstream, plain, mutual := listen(), listen(), listen()
	secure, err := serverTLS(ca, certificate, key)
	check(err)
	go func() { check(http.Serve(upstream, http.HandlerFunc(complete))) }()
	go func() { check(nothing().Serve(plain)) }()
	go func() { check(nothing(grpc.Creds(credentials.NewTLS(secure))).Serve(mutual)) }()
	fmt.Println(upstream.Addr(), plain.Addr(), mutual.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	return listener
}

// nothing is a server that reads one message of any call and answers with an empty one.
func nothing(options ...grpc.ServerOption) *grpc.Server {
	handler := func(_ any, stream grpc.ServerStream) error {
		if err := stream.RecvMsg(&raw{}); err != nil {
			return err
		}
		return stream.SendMsg(&raw{})
	}
	return grpc.NewServer(append(options, grpc.ForceServerCodec(asIs{}), grpc.UnknownServiceHandler(handler))...)
}

// complete speaks OpenAI's chat completions.
func complete(w http.ResponseWriter, r *http.Request) {
	var request asked
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &request)
	}
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/chat/completions" {
		http.Error(w, `{"error":{"message":"not a chat completion","type":"invalid_request_error"}}`, http.StatusBadRequest)
		return
	}
	model, err := json.Marshal(request.Model)
	check(err)
	if request.Stream {
		flow(w, string(model))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":%s,"choices":[{"index":0,`+
		`"message":{"role":"assistant","content":"%s","refusal":null},"logprobs":null,"finish_reason":"stop"}],`+
		`"usage":{"prompt_tokens":80,"completion_tokens":100,"total_tokens":180}}`, model, answer)
}

// flow sends the pieces by a clock, so that a slow reader does not move those that follow.
func flow(w http.ResponseWriter, model string) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	out := http.NewResponseController(w)
	send := func(choices, more string) {
		_, _ = fmt.Fprintf(w, "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,"+
			"\"model\":%s,\"choices\":%s%s}\n\n", model, choices, more)
		_ = out.Flush()
	}
	send(`[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]`, "")
	began := time.Now()
	for piece := range pieces {
		time.Sleep(time.Until(began.Add(time.Duration(piece) * every)))
		text, _ := json.Marshal(answer[piece*size : (piece+1)*size])
		send(fmt.Sprintf(`[{"index":0,"delta":{"content":%s},"finish_reason":null}]`, text), "")
	}
	send(`[{"index":0,"delta":{},"finish_reason":"stop"}]`, "")
	send(`[]`, `,"usage":{"prompt_tokens":80,"completion_tokens":100,"total_tokens":180}`)
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}
