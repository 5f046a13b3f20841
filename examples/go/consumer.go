// Command consumer works on each event of a subscription, acknowledges it afterwards, and connects again when it must:
//
//	BIGCHAINDB_ACCESS_KEY_FILE=key go run . wss://ledger.example:9984/api/v1/subscriptions/billing
//
// SSL_CERT_FILE names the file of an authority of your own. Exits with 1 where coming back does not help.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

type delivery struct {
	Tag   int
	Event json.RawMessage
}

func consume(url string) (code int, retryAfter string) {
	options := websocket.DialOptions{HTTPClient: &http.Client{Timeout: 10 * time.Second}, HTTPHeader: http.Header{}}
	options.Subprotocols = []string{"bigchaindb.subscription.v1"}
	file := os.Getenv("BIGCHAINDB_ACCESS_KEY_FILE")
	if key, err := os.ReadFile(file); err == nil { // each time: keys are replaced
		options.HTTPHeader.Set("Authorization", "Bearer "+strings.TrimSpace(string(key)))
	} else if file != "" {
		log.Fatalf("BIGCHAINDB_ACCESS_KEY_FILE names a file that cannot be read: %v", err)
	}
	socket, response, err := websocket.Dial(context.Background(), url, &options)
	if response == nil {
		log.Print(err)
		return -1, ""
	} else if err != nil {
		return response.StatusCode, response.Header.Get("Retry-After")
	}
	socket.SetReadLimit(8 << 20)
	deliveries, held := make(chan delivery, 1000), sync.Map{}
	go func() { // reads on while work takes its time, since the library answers pings only then
		for err == nil {
			var next struct {
				Tags   []int
				Events []delivery
			}
			silence, heard := context.WithTimeout(context.Background(), 45*time.Second) // the node sends something each 15 s
			err = wsjson.Read(silence, socket, &next)
			heard()
			for _, tag := range next.Tags { // revoked: these come again, or go elsewhere
				held.Delete(tag)
			}
			for _, one := range next.Events {
				held.Store(one.Tag, true)
				deliveries <- one
			}
		}
		held.Clear()
		close(deliveries)
	}()
	for one := range deliveries {
		if _, isHeld := held.LoadAndDelete(one.Tag); isHeld {
			fmt.Println(string(one.Event)) // your work; an event may come again, with the same `id`
			wsjson.Write(context.Background(), socket, map[string]any{"type": "ack", "tags": []int{one.Tag}})
		}
	}
	return int(websocket.CloseStatus(err)), ""
}

func main() {
	for {
		code, retryAfter := consume(os.Args[1])
		if slices.Contains([]int{400, 401, 403, 404, 1008, 1009, 4400, 4404}, code) {
			log.Fatalf("ended with %d", code)
		}
		wait, _ := time.ParseDuration(retryAfter + "s")
		time.Sleep(max(wait, 500*time.Millisecond))
	}
}
