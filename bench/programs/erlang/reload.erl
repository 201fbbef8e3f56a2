%% SPDX-License-Identifier: MIT
%% For each line of input, names of modules: c(m) of each; answers how long that took, in ms.
-module(reload).
-export([start/0]).

start() ->
    case io:get_line("") of
        eof -> halt();
        Line ->
            Modules = [list_to_atom(Name) || Name <- string:lexemes(Line, " \n")],
            Start = erlang:monotonic_time(microsecond),
            [{ok, M} = c:c(M) || M <- Modules],
            Spent = erlang:monotonic_time(microsecond) - Start,
            io:format("~.3f~n", [Spent / 1000]),
            start()
    end.
