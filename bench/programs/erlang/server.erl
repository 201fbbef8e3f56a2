%% SPDX-License-Identifier: MIT
%% The web server of Erlang's own library with one page; for each line of input, c(page).
-module(server).
-export([start/0]).

start() ->
    {ok, _} = application:ensure_all_started(inets),
    {ok, Server} = inets:start(httpd, [{port, 0}, {bind_address, {127, 0, 0, 1}}, {server_name, "bench"},
        {server_root, "."}, {document_root, "."}, {modules, [page]}, {max_clients, 1000},
        {socket_type, {ip_comm, [{nodelay, true}]}}]),
    [{port, Port}] = httpd:info(Server, [port]),
    io:format("http://127.0.0.1:~b/~n", [Port]),
    serve().

serve() ->
    case io:get_line("") of
        eof -> halt();
        _ ->
            {ok, page} = c:c(page),
            io:format("live~n"),
            serve()
    end.
