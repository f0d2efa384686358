// The two ends that every system measured by `make bench-peers` has in common:
//
//	wire serve CA CERT KEY            an upstream, and servers that answer any gRPC call with nothing
//	wire http N URL BODY [HEADER ...] N streams of chat completions, one after the other
//	wire grpc N ADDRESS CA CERT KEY TOKEN REQUEST   N streams of this gateway
//
// Everything listens on 127.0.0.1 alone. A stream's times are printed in microseconds as JSON: until the first text of
// the answer arrived, and until its end.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"time"
)

// times of streams.
type times struct {
	First []int64 `json:"first_us"`
	Whole []int64 `json:"whole_us"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 5 {
		log.Fatal("usage: wire serve|http|grpc ...")
	}
	switch args := os.Args[2:]; os.Args[1] {
	case "serve":
		serve(args[0], args[1], args[2])
	case "http":
		measure(args[0], overHTTP(args[1], read(args[2]), args[3:]))
	case "grpc":
		measure(args[0], overGRPC(args[1], args[2], args[3], args[4], read(args[5]), read(args[6])))
	default:
		log.Fatalf("%s: give serve, http or grpc", os.Args[1])
	}
}

// measure runs that many streams after a few that warm up. stream calls first() at the first text; it returns what arrived.
func measure(count string, stream func(first func()) (string, error)) {
	number, err := strconv.Atoi(count)
	check(err)
	var taken times
	for turn := range number + 3 {
		started, first := time.Now(), time.Duration(0)
		text, err := stream(func() {
			if first == 0 {
				first = time.Since(started)
			}
		})
		whole := time.Since(started)
		check(err)
		if text != answer {
			log.Fatalf("another text arrived, of %d bytes", len(text))
		}
		if turn >= 3 {
			taken.First = append(taken.First, first.Microseconds())
			taken.Whole = append(taken.Whole, whole.Microseconds())
		}
	}
	slices.Sort(taken.First)
	slices.Sort(taken.Whole)
	check(json.NewEncoder(os.Stdout).Encode(taken))
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	check(err)
	return data
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
